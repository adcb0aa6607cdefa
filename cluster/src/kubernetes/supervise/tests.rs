//! A task that dies, and one that is content too early.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::fake::FakeApi;
use crate::kubernetes::KubernetesOptions;
use crate::source::Role;

/// Has a task begun until it has ended `times` times; how long that took.
async fn ends(times: u32, end: impl Fn() + Clone + Send + 'static) -> (Arc<Api>, Duration) {
    let fake = FakeApi::new();
    let api = Api::over(fake.client(), KubernetesOptions::new(Role::Controller));
    let begun = Arc::new(AtomicU32::new(0));
    let began = Instant::now();
    let work = move |api: Arc<Api>| {
        let (begun, end) = (Arc::clone(&begun), end.clone());
        async move {
            if begun.fetch_add(1, Ordering::Relaxed) < times {
                end();
            } else {
                api.end.cancel();
            }
        }
    };
    supervise(Arc::clone(&api), Work::Kind(Kind::Service), work).await;
    (api, began.elapsed())
}

fn said(api: &Api) -> Vec<String> {
    let problems = api.outlook.problems();
    problems
        .borrow()
        .iter()
        .map(|problem| problem.to_string())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_task_that_dies_is_begun_anew_ever_more_slowly() {
    let die = || std::panic::resume_unwind(Box::new("a mistake of ours"));
    let (api, took) = ends(4, die).await;
    let said = said(&api);
    assert!(
        said.len() == 1 && said[0].contains("services") && said[0].contains("a mistake of ours"),
        "{said:?}"
    );
    // 1 + 2 + 4 + 8 s, half of that to half as much again.
    let least = Duration::from_millis(7_500);
    assert!(took >= least && took <= least * 3, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_ends_of_itself_is_begun_anew_too() {
    let (api, _) = ends(1, || {}).await;
    assert_eq!(said(&api).len(), 1);
}
