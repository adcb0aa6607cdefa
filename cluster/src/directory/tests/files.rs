//! What people do to files: break them, write them in place, empty them, take the folder away.

use std::io::Write;
use std::time::Instant;

use tokio::time::timeout;

use super::seen::{Seen, claim, hold, service};
use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_is_named_with_line_and_column_and_keeps_its_objects() {
    let place = Place::new();
    place.put("web.yaml", &service("web", 80));
    let mut seen = Seen::new(&place.cluster(Role::Controller));
    seen.until(|seen| seen.port("web") == Some(80)).await;
    place.put(
        "web.yaml",
        "apiVersion: v1\nkind: Service\nmetadata: {name: web\nspec: 1\n",
    );
    let problem = seen.problem("Syntax").await;
    assert_eq!(
        problem.file.as_deref(),
        Some(&place.path().join("web.yaml"))
    );
    assert!(
        problem.line >= Some(3) && problem.column.is_some(),
        "{problem}"
    );
    place.put("web.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n  type: LoadBalancer\n  ports:\n  - name: a\n    port: 81\n  - port: 99999\n    name: b\n");
    let problem = seen.problem("InvalidField").await;
    assert_eq!(problem.field.as_deref(), Some("spec.ports[1].port"));
    assert_eq!((problem.line, problem.column), (Some(9), Some(5)));
    place.put("web.yaml", &service("web", 82));
    seen.until(|seen| seen.port("web") == Some(82)).await;
    seen.no_problem().await;
    assert_eq!(seen.deletions, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_in_two_files_is_a_problem_that_names_both() {
    let place = Place::new();
    place.put("b.yaml", &service("web", 80));
    let mut seen = Seen::new(&place.cluster(Role::Controller));
    seen.until(|seen| seen.port("web") == Some(80)).await;
    place.put("a.yaml", &service("web", 81));
    let problem = seen.problem("Duplicate").await;
    let text = problem.to_string();
    assert!(text.contains("a.yaml") && text.contains("b.yaml"), "{text}");
    assert_eq!(
        seen.port("web"),
        Some(80),
        "the one that was there first stays"
    );
    fs::remove_file(place.path().join("b.yaml")).unwrap();
    seen.until(|seen| seen.port("web") == Some(81)).await;
    seen.no_problem().await;
    assert_eq!(seen.deletions, 0, "the other file takes over");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_written_in_place_is_believed_when_it_is_closed() {
    let place = Place::new();
    place.put(
        "all.yaml",
        &format!("{}---\n{}", service("web", 80), service("api", 80)),
    );
    let mut seen = Seen::new(&place.cluster(Role::Controller));
    seen.until(|seen| seen.services() == ["api", "web"]).await;
    let mut file = fs::File::create(place.path().join("all.yaml")).unwrap();
    // A truncated text that happens to be a manifest: one object less, another port.
    file.write_all(service("web", 8).as_bytes()).unwrap();
    place.put("other.yaml", &service("other", 80));
    seen.until(|seen| seen.services() == ["api", "other", "web"])
        .await;
    assert_eq!(seen.port("web"), Some(80), "half a file is not read");
    file.write_all(format!("---\n{}", service("api", 81)).as_bytes())
        .unwrap();
    drop(file);
    seen.until(|seen| seen.port("api") == Some(81)).await;
    assert_eq!(seen.deletions, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_taken_out_in_place_is_gone_after_two_equal_looks() {
    let place = Place::new();
    place.put(
        "all.yaml",
        &format!("{}---\n{}", service("web", 80), service("api", 80)),
    );
    let mut seen = Seen::new(&place.cluster(Role::Controller));
    seen.until(|seen| seen.services() == ["api", "web"]).await;
    let began = Instant::now();
    fs::write(place.path().join("all.yaml"), service("web", 80)).unwrap();
    seen.until(|seen| seen.services() == ["web"]).await;
    assert!(
        began.elapsed() >= Duration::from_millis(500),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_file_keeps_its_objects_until_it_is_removed() {
    let place = Place::new();
    place.put("web.yaml", &service("web", 80));
    let mut seen = Seen::new(&place.cluster(Role::Controller));
    seen.until(|seen| seen.services() == ["web"]).await;
    place.put("web.yaml", "# nothing for now\n");
    seen.problem("Emptied").await;
    assert_eq!(seen.services(), ["web"]);
    fs::remove_file(place.path().join("web.yaml")).unwrap();
    seen.until(|seen| seen.services().is_empty()).await;
    seen.no_problem().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_is_taken_away_with_its_state_changes_nothing() {
    let place = Place::new();
    let directory = place.path().join("manifests");
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("web.yaml"), service("web", 80)).unwrap();
    let cluster = |role| {
        Cluster::directory(DirectoryOptions {
            rescan: Duration::from_millis(20),
            ..DirectoryOptions::new(&directory, role)
        })
    };
    let controller = cluster(Role::Controller);
    let mut seen = Seen::new(&controller);
    let mut far = Seen::new(&cluster(Role::Speaker));
    seen.until(|seen| seen.port("web").is_some()).await;
    let patch = hold(&seen.service("web").unwrap());
    controller
        .writer()
        .patch_service_status(patch)
        .await
        .unwrap();
    far.until(|seen| seen.service("web").is_some_and(|view| view.has_finalizer))
        .await;
    let leadership = controller.lead().await;
    let away = place.path().join("away");
    for port in 81..84 {
        fs::rename(&directory, &away).unwrap();
        seen.problem("DirectoryUnreadable").await;
        far.problem("DirectoryUnreadable").await;
        let refused = controller
            .writer()
            .create_allocation(&claim())
            .await
            .unwrap_err();
        assert!(
            matches!(refused, WriteError::Unavailable { .. }),
            "{refused}"
        );
        assert!(
            !directory.exists(),
            "a directory of people is not made by Ringbolt"
        );
        fs::write(away.join("web.yaml"), service("web", port)).unwrap();
        fs::rename(&away, &directory).unwrap();
        for seen in [&mut seen, &mut far] {
            seen.until(|seen| seen.port("web") == Some(port)).await;
            seen.no_problem().await;
            let view = seen.service("web").unwrap();
            assert!(!view.deleting && view.has_finalizer && seen.deletions == 0);
        }
    }
    assert!(!leadership.is_lost());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_cannot_be_read_changes_nothing() {
    let place = Place::scanned_often();
    let directory = place.path().join("manifests");
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("web.yaml"), service("web", 80)).unwrap();
    let options = DirectoryOptions {
        state_dir: Some(place.path().join("state")),
        ..DirectoryOptions::new(&directory, Role::Controller)
    };
    let mut seen = Seen::new(&Cluster::directory(options));
    seen.until(|seen| seen.services() == ["web"]).await;
    fs::rename(&directory, place.path().join("away")).unwrap();
    seen.problem("DirectoryUnreadable").await;
    assert_eq!(seen.services(), ["web"]);
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("web.yaml"), service("web", 81)).unwrap();
    seen.until(|seen| seen.port("web") == Some(81)).await;
    seen.no_problem().await;
    assert_eq!(seen.deletions, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_directory_is_one_problem_and_nothing_is_made() {
    let place = Place::new();
    fs::write(place.path().join("file"), "").unwrap();
    for name in ["file", "nowhere", "nowhere/deep"] {
        let directory = place.path().join(name);
        let cluster = Cluster::directory(DirectoryOptions::new(&directory, Role::Speaker));
        let seen = Seen::new(&cluster);
        seen.problem("DirectoryUnreadable").await;
        assert_eq!(
            cluster.problems().borrow().len(),
            1,
            "{name}: {:?}",
            cluster.problems()
        );
    }
    let nowhere = place.path().join("nowhere");
    let controller = Cluster::directory(DirectoryOptions::new(&nowhere, Role::Controller));
    Seen::new(&controller).problem("DirectoryUnreadable").await;
    let led = timeout(Duration::from_millis(300), controller.lead()).await;
    assert!(led.is_err(), "there is nothing to lead");
    assert!(
        controller
            .writer()
            .create_allocation(&claim())
            .await
            .is_err()
    );
    assert!(!nowhere.exists(), "a mistyped directory is not made");
}

#[tokio::test]
async fn a_missing_directory_is_an_error_for_those_who_only_look() {
    let place = Place::new();
    let options = DirectoryOptions::new(place.path().join("nowhere"), Role::Reader);
    let error = Cluster::directory(options).read_all().await.unwrap_err();
    assert!(error.to_string().contains("nowhere"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_looks_once_is_told_the_problems_of_what_was_read() {
    let place = Place::new();
    place.put("web.yaml", "kind: [");
    place.put(
        "node.yaml",
        "apiVersion: v1\nkind: Node\nmetadata: {name: n1}\n",
    );
    for attempt in 0..100 {
        let listing = place.cluster(Role::Reader).read_all().await.unwrap();
        assert_eq!(listing.problems.len(), 1, "attempt {attempt}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_reports_everything_comes_true_within_five_seconds() {
    let place = Place::scanned();
    place.put("web.yaml", &service("web", 80));
    let controller = place.cluster(Role::Controller);
    let mut seen = Seen::new(&controller);
    let mut far = Seen::new(&place.cluster(Role::Speaker));
    seen.until(|seen| seen.port("web").is_some()).await;
    let limit = Duration::from_secs(5);
    let began = Instant::now();
    place.put("new.yaml", &service("new", 80));
    seen.until(|seen| seen.service("new").is_some()).await;
    assert!(began.elapsed() < limit, "a new file: {:?}", began.elapsed());
    let began = Instant::now();
    let patch = hold(&seen.service("new").unwrap());
    controller
        .writer()
        .patch_service_status(patch)
        .await
        .unwrap();
    far.until(|seen| seen.service("new").is_some_and(|view| view.has_finalizer))
        .await;
    assert!(began.elapsed() < limit, "a status: {:?}", began.elapsed());
    let began = Instant::now();
    fs::write(place.path().join("web.yaml"), service("web", 81)).unwrap();
    seen.until(|seen| seen.port("web") == Some(81)).await;
    assert!(
        began.elapsed() < limit,
        "a file written in place: {:?}",
        began.elapsed()
    );
    let began = Instant::now();
    fs::remove_file(place.path().join("new.yaml")).unwrap();
    far.until(|seen| seen.service("new").is_some_and(|view| view.deleting))
        .await;
    assert!(began.elapsed() < limit, "a removal: {:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_said_of_objects_before_the_directory_was_read() {
    let place = Place::new();
    let options = DirectoryOptions::new(place.path().join("nowhere"), Role::Controller);
    let cluster = Cluster::directory(options);
    let asked = cluster
        .writer()
        .get_service(&"default/web".parse().unwrap())
        .await;
    assert!(
        matches!(asked, Err(WriteError::Unavailable { .. })),
        "{asked:?}"
    );
}
