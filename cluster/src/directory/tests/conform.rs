//! One test per conformance check, with the kernel's reports and without.

use super::*;

macro_rules! with_reports {
    ($($check:ident,)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $check() {
            conformance::$check(&Place::reported()).await;
        }
    )*};
}
crate::for_each_conformance_check!(with_reports);

mod without_reports {
    use super::*;

    macro_rules! without_reports {
        ($($check:ident,)*) => {$(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $check() {
                conformance::$check(&Place::scanned_often()).await;
            }
        )*};
    }
    crate::for_each_conformance_check!(without_reports);
}
