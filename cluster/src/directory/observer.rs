//! The thread that looks at the directory and says what is so. It alone owns the catalog of
//! manifests and the mirror of the state folder; everybody else reads the hub.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use ringbolt_config::{Kind, Object, ObjectRef};

use super::catalog::{Catalog, MAX_SIZE, SETTLE};
use super::compose::{Sources, implied_namespace};
use super::inbox::{Arrived, Inbox};
use super::look::{self, Evidence, Listing, Look, is_still};
use super::mirror::Mirror;
use super::notices::Notices;
use super::outlets::Outlets;
use super::store::Store;
use super::usage::Usage;
use super::{Role, Settings, WatchMode, identity, stamp};
use crate::hub::{Hub, Publication};
use crate::source::{SourceProblem, Trouble};
use crate::writer::{UnavailableCause, WriteError};

pub(super) struct Observer {
    settings: Arc<Settings>,
    store: Arc<Store>,
    hub: Arc<Hub>,
    inbox: Arc<Inbox>,
    outlets: Outlets,
    notices: Notices,
    /// The manifests as they were last seen.
    listing: Listing,
    catalog: Catalog,
    mirror: Mirror,
    usage: Usage,
    /// Objects that could not be given an identity; tried again with every rescan.
    unstamped: BTreeSet<ObjectRef>,
    /// Stored objects that no file was seen to have since the start, while some file may: it is being
    /// written, or cannot be understood.
    doubted: BTreeSet<ObjectRef>,
    /// The folder of the manifests, as the cluster's identity is bound to it.
    folder: Option<Look>,
    unreadable: Option<ErrorKind>,
    unwritable: Option<ErrorKind>,
    started: bool,
    /// Since when a directory without any manifest is seen although objects are stored.
    bare_since: Option<Instant>,
}

impl Observer {
    pub(super) fn new(
        settings: Arc<Settings>,
        store: Arc<Store>,
        hub: Arc<Hub>,
        inbox: Arc<Inbox>,
        outlets: Outlets,
    ) -> Self {
        let notices = match settings.watch {
            WatchMode::Notified => Notices::start(&settings, &inbox),
            WatchMode::ScanOnly => Notices::off(),
        };
        Self {
            settings,
            store,
            hub,
            inbox,
            outlets,
            notices,
            listing: Listing::new(),
            catalog: Catalog::default(),
            mirror: Mirror::default(),
            usage: Usage::default(),
            unstamped: BTreeSet::new(),
            doubted: BTreeSet::new(),
            folder: None,
            unreadable: None,
            unwritable: None,
            started: false,
            bare_since: None,
        }
    }

    /// Looks until it is told to stop.
    pub(super) fn run(mut self) {
        let mut rescan = Instant::now();
        loop {
            let now = Instant::now();
            let unsettled = self.catalog.next_look();
            let bare = self.bare_since.map(|since| since + SETTLE);
            let deadline = [Some(rescan), unsettled, bare]
                .into_iter()
                .flatten()
                .min()
                .unwrap_or(rescan);
            let arrived = self.inbox.wait_until(deadline.max(now));
            if arrived.stop {
                return;
            }
            let everything = arrived.everything || Instant::now() >= rescan;
            if everything {
                rescan = Instant::now() + self.settings.rescan;
            }
            self.pass(&arrived, everything);
            for question in arrived.questions {
                let answer = self.answer(&question.object);
                // Nobody waits any more: then nobody is told.
                let _told = question.answer.send(answer);
            }
        }
    }

    /// Nothing is known of any object before the first reading.
    fn answer(&self, object: &ObjectRef) -> Result<Option<Object>, ErrorKind> {
        if !self.started {
            return Err(self.unreadable.unwrap_or(ErrorKind::NotFound));
        }
        let document = self.catalog.document(object).map(|document| &**document);
        Ok(self.sources().object(object, document))
    }

    fn sources(&self) -> Sources<'_> {
        Sources {
            role: self.settings.role,
            store: &self.store,
            mirror: &self.mirror,
            doubted: &self.doubted,
        }
    }

    /// One look: at what was reported, or at everything; then at what follows from it.
    fn pass(&mut self, arrived: &Arrived, everything: bool) {
        if everything {
            // First of all: the state folder may be made in this one while we look.
            self.notices.add(&self.settings.directory);
        }
        let mut touched = self.look_at_state(arrived, everything);
        let due = self.catalog.next_look();
        let due = due.is_some_and(|at| at <= Instant::now());
        if everything || arrived.list_manifests || due || !self.started {
            touched.extend(self.look_at_manifests(arrived));
        } else if let Some(files) = self.files_in_question(arrived) {
            touched.extend(self.look_at_files(arrived, files));
        }
        if self.unreadable.is_some() && !self.started || self.bare_since.is_some() {
            return self.outlets.problems(self.problems());
        }
        if everything {
            touched.extend(std::mem::take(&mut self.unstamped));
        }
        if everything
            || arrived
                .state_files
                .contains(&identity::path(&self.settings))
        {
            self.publish_identity();
        }
        if !self.started {
            touched.extend(self.catalog.names().cloned());
            touched.extend(self.mirror.names().cloned());
            let recorded = |name: &&ObjectRef| self.mirror.record(name).is_some();
            self.doubted = self.mirror.names().filter(recorded).cloned().collect();
        }
        touched.extend(self.end_doubts());
        self.stamp(&touched);
        self.publish(touched);
        // Before the first reading counts as complete: whoever waits for that asks for these next.
        self.outlets.skipped(self.catalog.skipped());
        self.outlets.problems(self.problems());
        if !self.started {
            self.started = true;
            self.hub.synced(Kind::ALL);
        }
    }

    fn look_at_state(&mut self, arrived: &Arrived, everything: bool) -> BTreeSet<ObjectRef> {
        let mut touched = BTreeSet::new();
        let mut unknown = false;
        let reported: BTreeSet<ObjectRef> = arrived
            .state_files
            .iter()
            .filter_map(|path| {
                let name = Mirror::name_of(self.store.root(), path);
                unknown |= name.is_none() && path.is_dir();
                name
            })
            .chain(arrived.written.iter().cloned())
            .chain(
                arrived
                    .questions
                    .iter()
                    .map(|question| question.object.clone()),
            )
            .filter(|name| self.settings.role.reads_state_of(name.kind))
            .collect();
        for name in reported {
            if self.mirror.refresh(&self.store, &name) {
                touched.insert(name);
            }
        }
        if everything || unknown {
            self.notices.add(self.store.root());
            let kinds: Vec<Kind> = Kind::ALL
                .iter()
                .copied()
                .filter(|kind| self.settings.role.reads_state_of(*kind))
                .collect();
            touched.extend(self.mirror.rescan(&self.store, &kinds, &mut self.notices));
        }
        touched
    }

    /// The manifests that something is known or asked of; `None` when there are none.
    fn files_in_question(&self, arrived: &Arrived) -> Option<BTreeSet<PathBuf>> {
        let asked = arrived
            .questions
            .iter()
            .filter_map(|question| self.catalog.file_of(&question.object))
            .map(|path| (**path).clone());
        let files: BTreeSet<PathBuf> = arrived.manifests.keys().cloned().chain(asked).collect();
        (!files.is_empty()).then_some(files)
    }

    /// Looks at some files, and takes the others to be as they were.
    fn look_at_files(
        &mut self,
        arrived: &Arrived,
        files: BTreeSet<PathBuf>,
    ) -> BTreeSet<ObjectRef> {
        let listing = &mut self.listing;
        let seen = files
            .into_iter()
            .try_for_each(|path| look::look_again(listing, path));
        // Asked after the files: where the whole folder went away, no file was removed.
        let folder = self.folder.as_ref();
        if seen.is_ok() && folder.is_some_and(|look| is_still(&self.settings.directory, look)) {
            return self.take_listing(arrived);
        }
        self.look_at_manifests(arrived)
    }

    fn look_at_manifests(&mut self, arrived: &Arrived) -> BTreeSet<ObjectRef> {
        let directory = &self.settings.directory;
        self.notices.add(directory);
        match look::list(directory) {
            Ok((look, listing)) => {
                self.folder = Some(look);
                self.listing = listing;
                self.unreadable = None;
            }
            Err(error) => {
                self.notices.forget(directory);
                self.unreadable = Some(error.kind());
                return BTreeSet::new();
            }
        }
        // A folder that has nothing although much is stored may be a mount that is not there yet.
        let is_bare = !self.started
            && self.listing.is_empty()
            && self
                .mirror
                .names()
                .any(|name| self.mirror.record(name).is_some());
        if is_bare {
            let now = Instant::now();
            let since = *self.bare_since.get_or_insert(now);
            if now.duration_since(since) < SETTLE {
                return BTreeSet::new();
            }
        }
        self.bare_since = None;
        self.take_listing(arrived)
    }

    fn take_listing(&mut self, arrived: &Arrived) -> BTreeSet<ObjectRef> {
        let told =
            |(path, evidence): (&PathBuf, &Option<Evidence>)| Some((path.clone(), (*evidence)?));
        let evidence = arrived.manifests.iter().filter_map(told).collect();
        self.catalog
            .look(&self.listing, &evidence, Instant::now(), &mut read_file)
    }

    /// The stored objects of which it is certain after this look whether any file has them. A start
    /// believes in an absence as a running process does: after two equal looks, and never because of
    /// a file that it does not understand.
    fn end_doubts(&mut self) -> BTreeSet<ObjectRef> {
        if self.doubted.is_empty() {
            return BTreeSet::new();
        }
        // Who only looks, and leaves, takes what is there.
        let settled = self.settings.role == Role::Reader || self.catalog.is_settled();
        let all_known = settled && self.catalog.was_understood();
        let catalog = &self.catalog;
        let is_certain = |name: &ObjectRef| {
            catalog.document(name).is_some() || all_known && !catalog.refuses(name)
        };
        let (certain, doubted) = std::mem::take(&mut self.doubted)
            .into_iter()
            .partition(is_certain);
        self.doubted = doubted;
        certain
    }

    /// Gives identities where they are due; the controller alone does.
    fn stamp(&mut self, touched: &BTreeSet<ObjectRef>) {
        if self.settings.role != Role::Controller {
            return;
        }
        let due = |name: &&ObjectRef| {
            let document = self.catalog.document(name).map(|document| &**document);
            stamp::is_due(name, self.mirror.record(name), document)
        };
        let known = touched.iter().filter(|name| !self.doubted.contains(*name));
        let names: Vec<&ObjectRef> = known.filter(due).collect();
        let now = Timestamp::now();
        let operation = |name| stamp::stamp(name, self.catalog.document(name).cloned(), now);
        let operations = names.iter().copied().map(operation).collect();
        let mut refused = None;
        for (name, outcome) in names.into_iter().zip(self.store.transact_all(operations)) {
            match outcome {
                Ok(_) => {
                    self.mirror.refresh(&self.store, name);
                }
                Err(error) => {
                    self.unstamped.insert(name.clone());
                    refused = Some(cause_of(&error));
                }
            }
        }
        if refused.is_some() || self.unstamped.is_empty() {
            self.unwritable = refused;
        }
    }

    fn publish(&mut self, touched: BTreeSet<ObjectRef>) {
        let mut publications = Vec::with_capacity(touched.len());
        let mut namespaces = BTreeSet::new();
        for name in touched {
            if name.kind == Kind::Namespace {
                namespaces.insert(name);
                continue;
            }
            let document = self.catalog.document(&name).map(|document| &**document);
            let object = self.sources().object(&name, document);
            if let Some(namespace) = name
                .namespace
                .as_ref()
                .filter(|_| name.kind != Kind::Secret)
            {
                let turned = match (self.hub.has(&name), object.is_some()) {
                    (false, true) => self.usage.enter(namespace),
                    (true, false) => self.usage.leave(namespace),
                    (true, true) | (false, false) => None,
                };
                namespaces.extend(turned);
            }
            publications.push(object.map_or(Publication::Gone(name), Publication::Object));
        }
        for name in namespaces {
            let document = self.catalog.document(&name).map(|document| &**document);
            let object: Option<Object> = self.sources().object(&name, document).or_else(|| {
                self.usage
                    .is_used(&name)
                    .then(|| implied_namespace(&name))
                    .flatten()
            });
            publications.push(object.map_or(Publication::Gone(name), Publication::Object));
        }
        self.hub.publish(publications);
    }

    fn publish_identity(&mut self) {
        match identity::read_or_make(&self.settings, self.folder) {
            Ok(id) => self.outlets.identity(id),
            Err(cause) => self.unwritable = Some(cause),
        }
    }

    fn problems(&self) -> Vec<SourceProblem> {
        let about = |path: &Path, trouble| SourceProblem {
            file: Some(Arc::new(path.to_owned())),
            line: None,
            column: None,
            object: None,
            field: None,
            trouble,
        };
        let directory = &self.settings.directory;
        let mut problems = self.catalog.problems();
        if !self.doubted.is_empty() {
            let silent = self.catalog.silent();
            problems.extend(silent.map(|path| about(path, Trouble::Emptied)));
        }
        problems.extend(self.mirror.problems());
        if let Some(cause) = self.unreadable {
            problems.push(about(directory, Trouble::DirectoryUnreadable { cause }));
        }
        if let Some(cause) = self.unwritable {
            problems.push(about(self.store.root(), Trouble::StateUnwritable { cause }));
        }
        if self.notices.is_incomplete() {
            problems.push(about(directory, Trouble::NotNotified));
        }
        problems
    }
}

fn cause_of(error: &WriteError) -> ErrorKind {
    match error {
        WriteError::Unavailable {
            cause: UnavailableCause::Io(kind),
            ..
        } => *kind,
        WriteError::Unavailable { .. }
        | WriteError::AlreadyExists { .. }
        | WriteError::Conflict { .. }
        | WriteError::NotFound { .. }
        | WriteError::Invalid { .. } => ErrorKind::InvalidData,
    }
}

/// Reads a manifest of bounded size; the look is that of the file that was read, after reading.
fn read_file(path: &Path) -> io::Result<(Look, Vec<u8>)> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.len() > MAX_SIZE {
        return Err(ErrorKind::FileTooLarge.into());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
    file.by_ref().take(MAX_SIZE).read_to_end(&mut bytes)?;
    Ok((Look::of(&file.metadata()?), bytes))
}
