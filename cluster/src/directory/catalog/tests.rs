//! Looks and times go in, names of changed objects come out; no file and no clock is needed.

use std::cell::RefCell;

use ringbolt_config::Kind;

use super::*;

#[test]
fn the_first_reading_takes_everything_at_once() {
    let mut world = World::new();
    world.write("a.yaml", &pool("a"));
    world.write("b.yaml", &pool("b"));
    assert_eq!(world.look(), ["a", "b"]);
    assert_eq!(world.look(), [""; 0], "what is known is no change");
}

#[test]
fn a_file_of_which_nothing_is_reported_is_believed_after_two_equal_looks() {
    let mut world = World::new();
    world.look();
    world.write("a.yaml", &pool("a"));
    assert_eq!(world.look(), [""; 0]);
    world.pass(SETTLE / 2);
    world.append("a.yaml", "# still being written\n");
    assert_eq!(world.look(), [""; 0]);
    world.pass(SETTLE / 2);
    assert_eq!(
        world.look(),
        [""; 0],
        "the second look was not equal to the first"
    );
    world.pass(SETTLE / 2);
    assert_eq!(world.look(), ["a"]);
}

#[test]
fn a_file_that_was_moved_here_or_closed_is_believed_at_once() {
    let mut world = World::new();
    world.look();
    world.write("a.yaml", &pool("a"));
    assert_eq!(world.look_with(Evidence::Whole, "a.yaml"), ["a"]);
}

#[test]
fn a_file_that_is_reported_as_being_written_is_not_read() {
    let mut world = World::new();
    world.write("a.yaml", &pool("a"));
    world.look();
    world.rename("a.yaml", &pool("b"));
    assert_eq!(world.look_with(Evidence::Partial, "a.yaml"), [""; 0]);
    assert_eq!(world.look_with(Evidence::Whole, "a.yaml"), ["a", "b"]);
}

#[test]
fn a_replaced_file_takes_its_objects_with_it_at_once() {
    let mut world = World::new();
    world.write("all.yaml", &format!("{}---\n{}", pool("a"), pool("b")));
    world.look();
    world.rename("all.yaml", &pool("a"));
    assert_eq!(world.look(), ["b"]);
    assert_eq!(world.names(), ["a"]);
}

#[test]
fn an_object_taken_out_in_place_lingers_until_two_looks_are_equal() {
    let mut world = World::new();
    world.write("all.yaml", &format!("{}---\n{}", pool("a"), pool("b")));
    world.look();
    world.write("all.yaml", &pool("a"));
    assert_eq!(world.look_with(Evidence::Whole, "all.yaml"), [""; 0]);
    assert_eq!(world.names(), ["a", "b"]);
    world.pass(SETTLE);
    assert_eq!(world.look(), ["b"]);
    assert_eq!(world.names(), ["a"]);
}

#[test]
fn a_file_counts_as_removed_when_it_stays_away() {
    let mut world = World::new();
    world.write("a.yaml", &pool("a"));
    world.write("b.yaml", &pool("b"));
    world.look();
    world.remove("a.yaml");
    assert_eq!(world.look(), [""; 0]);
    world.write("a.yaml", &pool("a"));
    world.pass(MISSING);
    assert_eq!(world.look(), [""; 0], "an editor took it away for a moment");
    world.remove("a.yaml");
    world.look();
    world.pass(MISSING);
    assert_eq!(world.look(), ["a"]);
    assert_eq!(world.names(), ["b"]);
}

#[test]
fn a_file_of_another_name_is_read_before_its_old_name_counts_as_removed() {
    let mut world = World::new();
    world.write("a.yaml", &pool("a"));
    world.write("z.yaml", &pool("z"));
    world.look();
    world.remove("a.yaml");
    world.write("b.yaml", &pool("a"));
    for _ in 0..20 {
        world.look();
        assert_eq!(world.names(), ["a", "z"]);
        world.pass(MISSING);
    }
    world.remove("b.yaml");
    world.look();
    world.pass(MISSING);
    assert_eq!(world.look(), ["a"]);
}

#[test]
fn a_directory_without_any_file_is_looked_at_for_longer() {
    let mut world = World::new();
    world.write("a.yaml", &pool("a"));
    world.look();
    world.remove("a.yaml");
    world.look();
    world.pass(MISSING);
    assert_eq!(
        world.look(),
        [""; 0],
        "everything at once is looked at twice"
    );
    world.pass(SETTLE);
    assert_eq!(world.look(), ["a"]);
}

#[test]
fn files_that_cannot_be_understood_keep_their_objects() {
    for broken in [
        "{",
        "",
        "# nothing\n",
        "kind: IPAddressPool\n",
        "a: 1\na: 2\n",
        "\u{0}",
    ] {
        let mut world = World::new();
        world.write("a.yaml", &pool("a"));
        world.look();
        world.rename("a.yaml", broken);
        assert_eq!(world.look(), [""; 0], "{broken:?}");
        world.pass(SETTLE);
        assert_eq!(world.look(), [""; 0], "{broken:?}");
        assert_eq!(world.names(), ["a"], "{broken:?}");
        assert!(!world.catalog.problems().is_empty(), "{broken:?}");
    }
}

#[test]
fn a_file_that_cannot_be_read_keeps_its_objects_and_is_tried_again() {
    let mut world = World::new();
    world.write("a.yaml", &pool("a"));
    world.look();
    world.rename("a.yaml", &pool("b"));
    *world.refuse.borrow_mut() = true;
    assert_eq!(world.look(), [""; 0]);
    assert_eq!(world.reasons(), ["FileUnreadable"]);
    assert_eq!(world.names(), ["a"]);
    *world.refuse.borrow_mut() = false;
    world.pass(SETTLE);
    assert_eq!(world.look(), ["a", "b"]);
    assert_eq!(world.reasons(), [""; 0]);
}

#[test]
fn an_unacceptable_object_keeps_its_last_good_version_and_others_go_on() {
    let mut world = World::new();
    world.write("all.yaml", &format!("{}---\n{}", pool("a"), pool("b")));
    world.look();
    let bad = pool("a").replace("addresses", "adresses");
    world.rename(
        "all.yaml",
        &format!("{bad}---\n{}---\n{}", pool("b"), pool("c")),
    );
    assert_eq!(world.look(), ["c"]);
    assert_eq!(world.names(), ["a", "b", "c"]);
    assert!(world.reasons().contains(&"InvalidField"));
    let problems = world.catalog.problems();
    let field = |problem: &SourceProblem| problem.field.as_deref() == Some("spec.adresses");
    let unknown = problems.iter().find(|problem| field(problem)).unwrap();
    assert_eq!(unknown.line, Some(5), "{problems:?}");
    world.rename("all.yaml", &pool("b"));
    assert_eq!(world.look(), ["a", "c"]);
}

#[test]
fn a_new_object_that_is_not_acceptable_does_not_exist() {
    let mut world = World::new();
    world.write("a.yaml", &pool("a").replace("addresses", "adresses"));
    assert_eq!(world.look(), [""; 0]);
    assert_eq!(world.names(), [""; 0]);
}

#[test]
fn the_first_file_owns_an_object_until_it_lets_go() {
    let mut world = World::new();
    world.write("b.yaml", &pool("x"));
    world.look();
    world.write("a.yaml", &pool("x").replace("192.0.2.0", "198.51.100.0"));
    assert_eq!(world.look_with(Evidence::Whole, "a.yaml"), [""; 0]);
    assert_eq!(world.reasons(), ["Duplicate"]);
    assert!(world.text("x").contains("192.0.2.0"));
    world.remove("b.yaml");
    world.look();
    world.pass(MISSING);
    assert_eq!(world.look(), ["x"]);
    assert!(world.text("x").contains("198.51.100.0"));
    assert_eq!(world.reasons(), [""; 0]);
}

#[test]
fn an_object_that_stands_twice_in_a_file_is_used_once() {
    let mut world = World::new();
    let second = pool("x").replace("192.0.2.0", "198.51.100.0");
    world.write("a.yaml", &format!("{}---\n{second}", pool("x")));
    assert_eq!(world.look(), ["x"]);
    assert_eq!(world.reasons(), ["Repeated"]);
    assert!(world.text("x").contains("192.0.2.0"));
}

#[test]
fn only_what_changed_in_a_file_is_reported_and_lines_follow_the_text() {
    let mut world = World::new();
    let bad = pool("bad").replace("addresses", "adresses");
    world.write(
        "all.yaml",
        &format!("{}---\n{}---\n{bad}", pool("a"), pool("b")),
    );
    world.look();
    let line = world.catalog.problems()[0].line.unwrap();
    let b = pool("b").replace("192.0.2.0", "198.51.100.0");
    world.rename(
        "all.yaml",
        &format!("# two\n# lines\n{}---\n{b}---\n{bad}", pool("a")),
    );
    assert_eq!(world.look(), ["b"]);
    assert_eq!(world.catalog.problems()[0].line, Some(line + 2));
}

#[test]
fn text_that_is_not_utf_8_is_a_problem_with_a_place() {
    let mut world = World::new();
    let mut bytes = pool("a").into_bytes();
    bytes.extend(b"# \xff\n");
    world.write_bytes("a.yaml", bytes);
    world.look();
    let problems = world.catalog.problems();
    assert_eq!(problems[0].reason(), "Syntax");
    assert_eq!((problems[0].line, problems[0].column), (Some(6), Some(3)));
}

#[test]
fn nothing_is_to_be_looked_at_again_when_all_is_settled() {
    let mut world = World::new();
    world.write("a.yaml", &pool("a"));
    world.look();
    assert!(
        world.catalog.next_look().is_some(),
        "a fresh file is read once more"
    );
    world.pass(SETTLE);
    world.look();
    assert_eq!(world.catalog.next_look(), None);
    assert_eq!(world.reads("a.yaml"), 2);
    world.pass(SETTLE);
    world.look();
    assert_eq!(world.reads("a.yaml"), 2);
}

fn pool(name: &str) -> String {
    format!(
        "apiVersion: ringbolt.io/v1beta1\nkind: IPAddressPool\nmetadata: {{name: {name}}}\nspec:\n  addresses: [192.0.2.0/24]\n"
    )
}

/// A directory in memory, and a clock that is pushed.
struct World {
    catalog: Catalog,
    files: BTreeMap<Arc<PathBuf>, (Look, Vec<u8>)>,
    now: Instant,
    inodes: u64,
    ticks: i64,
    refuse: RefCell<bool>,
    reads: RefCell<BTreeMap<PathBuf, usize>>,
}

impl World {
    fn new() -> Self {
        Self {
            catalog: Catalog::default(),
            files: BTreeMap::new(),
            now: Instant::now(),
            inodes: 0,
            ticks: 0,
            refuse: RefCell::new(false),
            reads: RefCell::default(),
        }
    }

    fn write(&mut self, file: &str, text: &str) {
        self.write_bytes(file, text.as_bytes().to_owned());
    }

    /// Writes in place, or makes a new file.
    fn write_bytes(&mut self, file: &str, bytes: Vec<u8>) {
        let path = Arc::new(PathBuf::from(file));
        let inode = self.files.get(&path).map(|(look, _)| look.inode);
        let inode = inode.unwrap_or_else(|| {
            self.inodes += 1;
            self.inodes
        });
        self.ticks += 1;
        let look = Look {
            device: 1,
            inode,
            size: bytes.len() as u64,
            modified: (self.ticks, 0),
        };
        self.files.insert(path, (look, bytes));
    }

    fn append(&mut self, file: &str, text: &str) {
        let path = Arc::new(PathBuf::from(file));
        let mut bytes = self.files[&path].1.clone();
        bytes.extend(text.as_bytes());
        self.write_bytes(file, bytes);
    }

    fn rename(&mut self, file: &str, text: &str) {
        self.remove(file);
        self.write(file, text);
    }

    fn remove(&mut self, file: &str) {
        self.files.remove(&Arc::new(PathBuf::from(file)));
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    fn look(&mut self) -> Vec<String> {
        self.look_at(&BTreeMap::new())
    }

    fn look_with(&mut self, evidence: Evidence, file: &str) -> Vec<String> {
        self.look_at(&BTreeMap::from([(PathBuf::from(file), evidence)]))
    }

    fn look_at(&mut self, evidence: &BTreeMap<PathBuf, Evidence>) -> Vec<String> {
        let listing: Listing = self
            .files
            .iter()
            .map(|(path, (look, _))| (Arc::clone(path), *look))
            .collect();
        let (files, refuse, reads) = (&self.files, &self.refuse, &self.reads);
        let mut read = |path: &Path| {
            *reads.borrow_mut().entry(path.to_owned()).or_insert(0) += 1;
            match *refuse.borrow() {
                true => Err(io::ErrorKind::PermissionDenied.into()),
                false => Ok(files[&Arc::new(path.to_owned())].clone()),
            }
        };
        let touched = self.catalog.look(&listing, evidence, self.now, &mut read);
        touched
            .into_iter()
            .map(|name| name.name.to_string())
            .collect()
    }

    fn names(&self) -> Vec<String> {
        self.catalog
            .names()
            .map(|name| name.name.to_string())
            .collect()
    }

    fn reasons(&self) -> Vec<&'static str> {
        self.catalog
            .problems()
            .iter()
            .map(SourceProblem::reason)
            .collect()
    }

    fn reads(&self, file: &str) -> usize {
        self.reads.borrow()[Path::new(file)]
    }

    fn text(&self, name: &str) -> String {
        let name = ObjectRef::new(Kind::IPAddressPool, None, name).unwrap();
        String::from_utf8(self.catalog.document(&name).unwrap().json.to_vec()).unwrap()
    }
}
