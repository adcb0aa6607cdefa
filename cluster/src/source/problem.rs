//! What a source holds that could not be used, as values: place, object, field, and why.

use std::fmt;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use ringbolt_config::ObjectRef;

use crate::calls::Verb;

/// How much a problem takes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The document is used; one part of it is not.
    Ignored,
    /// The document, the file or the directory is not used. The last good objects stay.
    Refused,
}

/// One thing in the source that could not be used as it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceProblem {
    /// The file, where the source is made of files.
    pub file: Option<Arc<PathBuf>>,
    /// Line in the file, from 1.
    pub line: Option<usize>,
    /// Column in the line, in characters from 1.
    pub column: Option<usize>,
    /// The object, where the document has said which.
    pub object: Option<ObjectRef>,
    /// Path of the field, such as `spec.ports[0].port`.
    pub field: Option<String>,
    /// What is wrong.
    pub trouble: Trouble,
}

impl SourceProblem {
    /// How much it takes away.
    pub fn severity(&self) -> Severity {
        self.trouble.severity()
    }

    /// The CamelCase word for conditions, metrics and tests.
    pub fn reason(&self) -> &'static str {
        self.trouble.reason()
    }
}

/// `file:line:column: Kind namespace/name: field: what is wrong`, without what is not known.
impl fmt::Display for SourceProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}", file.display())?;
            if let Some(line) = self.line {
                write!(f, ":{line}")?;
                if let Some(column) = self.column {
                    write!(f, ":{column}")?;
                }
            }
            f.write_str(": ")?;
        }
        if let Some(object) = &self.object {
            write!(f, "{object}: ")?;
        }
        if let Some(field) = &self.field {
            write!(f, "{field}: ")?;
        }
        write!(f, "{}", self.trouble)
    }
}

/// What is wrong with a part of the source. Closed: reasons are labels and conditions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// The directory itself cannot be listed. Nothing changes until it can.
    DirectoryUnreadable {
        /// What the system said.
        cause: ErrorKind,
    },
    /// A file cannot be read. Its last good objects stay.
    FileUnreadable {
        /// What the system said.
        cause: ErrorKind,
    },
    /// A file is larger than any manifest is read.
    FileTooLarge {
        /// The most that is read, in bytes.
        limit: u64,
    },
    /// The file is not YAML or JSON. Its last good objects stay.
    Syntax {
        /// What the parser found.
        message: Box<str>,
    },
    /// The file held objects and holds none. They stay until it is removed or replaced.
    Emptied,
    /// A document is not an object with `apiVersion`, `kind` and `metadata.name`. Objects that are
    /// no longer found in this file stay, because one of them may be the one that is meant.
    Unidentified {
        /// What a document must have.
        missing: &'static str,
    },
    /// The name is not one that an object of this kind may have.
    InvalidName,
    /// A field has no acceptable value. The object's last good version stays.
    InvalidField {
        /// What is expected.
        message: Box<str>,
    },
    /// The same object stands in another file too; the one that was there first stays.
    Duplicate {
        /// Where it stands too.
        other: Arc<PathBuf>,
    },
    /// The object stands twice in one file. The first is used.
    Repeated,
    /// A part that only Ringbolt or the API server writes; what people write there is not read.
    NotForPeople,
    /// A Kubernetes kind has no such field as far as is known here: misspelt, or of a newer API. The
    /// object is used without it.
    UnknownField,
    /// Objects of this kind are written by Ringbolt alone; the document is not read.
    KindNotForPeople,
    /// What Ringbolt has stored for this object cannot be understood.
    StateUnreadable {
        /// What the system said.
        cause: ErrorKind,
    },
    /// Ringbolt cannot store what it must remember.
    StateUnwritable {
        /// What the system said.
        cause: ErrorKind,
    },
    /// Changes are found by looking every few seconds, since the kernel does not report them.
    NotNotified,
    /// The API server does not answer, or cannot at this time. What is known stays.
    Unreachable {
        /// What was met on the way, or what the server said.
        message: Box<str>,
    },
    /// The API server answers, and has no such kind. What is known stays.
    NotServed {
        /// Who would have to define it.
        definer: Definer,
    },
    /// The API server answers about these kinds with something that is of no use: it cannot at this
    /// time, or does not speak as expected. What is known stays.
    NoUsableAnswer {
        /// What the server said, or what is wrong with that.
        message: Box<str>,
    },
    /// The API server lists these, and watches of them do not last. Changes are seen late.
    WatchFails {
        /// How the last one ended.
        how: WatchEnd,
    },
    /// The API server does not know us, or does not let us. What is known stays.
    Forbidden {
        /// What was asked, as the API names it.
        verb: Verb,
        /// What the server said.
        message: Box<str>,
    },
    /// A task of this process has ended that must not, and is begun anew. What is known stays.
    ReaderStopped {
        /// What is known of its end.
        message: Box<str>,
    },
    /// The API server was not there at the start, and the view of an earlier process holds no passwords.
    PasswordNotKept,
    /// There is no kubeconfig or service account to go by.
    NotConfigured {
        /// What was looked for, and what is wrong with it.
        message: Box<str>,
    },
    /// The configuration has changed on disk, and what it is now cannot be used. The one before is.
    ConfigurationNotUsed {
        /// What is wrong with it.
        message: Box<str>,
    },
}

/// Where a kind comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Definer {
    /// A CustomResourceDefinition of Ringbolt.
    Ringbolt,
    /// The API server itself.
    Kubernetes,
}

/// How a watch ended that did not last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WatchEnd {
    /// What it should begin from was not kept any more.
    Expired,
    /// The server did not accept what it should begin from.
    Refused,
    /// The connection broke.
    Broken,
    /// The server, or something before it, closed it.
    Ended,
}

impl WatchEnd {
    fn words(self) -> &'static str {
        match self {
            Self::Expired => "begins from a version that the server does not keep",
            Self::Refused => "begins from a version that the server refuses",
            Self::Broken => "breaks off at once",
            Self::Ended => "is closed at once",
        }
    }
}

impl Trouble {
    /// The CamelCase word.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::DirectoryUnreadable { .. } => "DirectoryUnreadable",
            Self::FileUnreadable { .. } => "FileUnreadable",
            Self::FileTooLarge { .. } => "FileTooLarge",
            Self::Syntax { .. } => "Syntax",
            Self::Emptied => "Emptied",
            Self::Unidentified { .. } => "Unidentified",
            Self::InvalidName => "InvalidName",
            Self::InvalidField { .. } => "InvalidField",
            Self::Duplicate { .. } => "Duplicate",
            Self::Repeated => "Repeated",
            Self::NotForPeople => "NotForPeople",
            Self::UnknownField => "UnknownField",
            Self::KindNotForPeople => "KindNotForPeople",
            Self::StateUnreadable { .. } => "StateUnreadable",
            Self::StateUnwritable { .. } => "StateUnwritable",
            Self::NotNotified => "NotNotified",
            Self::Unreachable { .. } => "Unreachable",
            Self::NotServed { .. } => "NotServed",
            Self::NoUsableAnswer { .. } => "NoUsableAnswer",
            Self::WatchFails { .. } => "WatchFails",
            Self::Forbidden { .. } => "Forbidden",
            Self::ReaderStopped { .. } => "ReaderStopped",
            Self::PasswordNotKept => "PasswordNotKept",
            Self::NotConfigured { .. } => "NotConfigured",
            Self::ConfigurationNotUsed { .. } => "ConfigurationNotUsed",
        }
    }

    fn severity(&self) -> Severity {
        match self {
            Self::NotForPeople | Self::UnknownField | Self::NotNotified => Severity::Ignored,
            Self::DirectoryUnreadable { .. }
            | Self::FileUnreadable { .. }
            | Self::FileTooLarge { .. }
            | Self::Syntax { .. }
            | Self::Emptied
            | Self::Unidentified { .. }
            | Self::InvalidName
            | Self::InvalidField { .. }
            | Self::Duplicate { .. }
            | Self::Repeated
            | Self::KindNotForPeople
            | Self::StateUnreadable { .. }
            | Self::StateUnwritable { .. }
            | Self::Unreachable { .. }
            | Self::NotServed { .. }
            | Self::NoUsableAnswer { .. }
            | Self::WatchFails { .. }
            | Self::Forbidden { .. }
            | Self::ReaderStopped { .. }
            | Self::PasswordNotKept
            | Self::NotConfigured { .. }
            | Self::ConfigurationNotUsed { .. } => Severity::Refused,
        }
    }
}

/// One sentence for people, without place and object.
impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DirectoryUnreadable { cause } => {
                write!(
                    f,
                    "the directory cannot be read ({cause}); nothing changes until it can"
                )
            }
            Self::FileUnreadable { cause } => {
                write!(
                    f,
                    "the file cannot be read ({cause}); its last good objects stay"
                )
            }
            Self::FileTooLarge { limit } => write!(f, "the file is larger than {limit} bytes"),
            Self::Syntax { message } => write!(f, "{message}; the file's last good objects stay"),
            Self::Emptied => {
                f.write_str("the file has no documents any more; its last good objects stay")
            }
            Self::Unidentified { missing } => write!(f, "the document has no {missing}"),
            Self::InvalidName => f.write_str("is not a name such an object can have"),
            Self::InvalidField { message } => f.write_str(message),
            Self::Duplicate { other } => {
                write!(
                    f,
                    "the object also stands in {}; that one is used",
                    other.display()
                )
            }
            Self::Repeated => {
                f.write_str("the object stands twice in this file; the first is used")
            }
            Self::NotForPeople => f.write_str("is not read from manifests"),
            Self::UnknownField => {
                f.write_str("is not a field that is known here; the object is used without it")
            }
            Self::KindNotForPeople => {
                f.write_str("objects of this kind are written by Ringbolt alone")
            }
            Self::StateUnreadable { cause } => {
                write!(f, "the stored state cannot be read ({cause})")
            }
            Self::StateUnwritable { cause } => write!(f, "the state cannot be stored ({cause})"),
            Self::NotNotified => {
                f.write_str("changes are not notified by the kernel; looking every 2 s instead")
            }
            Self::Unreachable { .. }
            | Self::NotServed { .. }
            | Self::NoUsableAnswer { .. }
            | Self::WatchFails { .. }
            | Self::Forbidden { .. }
            | Self::ReaderStopped { .. }
            | Self::PasswordNotKept
            | Self::NotConfigured { .. }
            | Self::ConfigurationNotUsed { .. } => self.server_says(f),
        }
    }
}

impl Trouble {
    /// The same, for what concerns an API server.
    fn server_says(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { message } => {
                write!(
                    f,
                    "the API server is not to be had ({message}); nothing changes until it is"
                )
            }
            Self::NotServed { definer } => f.write_str(match definer {
                Definer::Ringbolt => {
                    "the API server has no such kind; apply Ringbolt's definitions \
                     (ringbolt crds | kubectl apply --server-side -f -); what is known stays"
                }
                Definer::Kubernetes => {
                    "the API server has no such kind; it is older than Ringbolt can work with, or \
                     this API is switched off; what is known stays"
                }
            }),
            Self::NoUsableAnswer { message } => {
                write!(
                    f,
                    "the API server gives no usable answer ({message}); what is known stays"
                )
            }
            Self::WatchFails { how } => {
                write!(
                    f,
                    "changes are seen late, because one watch after the other {}; a proxy before the \
                     API server may be the cause",
                    how.words()
                )
            }
            Self::Forbidden { verb, message } => {
                write!(
                    f,
                    "{} is not allowed ({message}); what is known stays",
                    verb.as_str()
                )
            }
            Self::ReaderStopped { message } => {
                write!(
                    f,
                    "an error in Ringbolt keeps it from being read ({message}); it is tried again, and \
                     what is known stays"
                )
            }
            Self::PasswordNotKept => {
                f.write_str("passwords are not kept on disk; it waits for the API server")
            }
            Self::NotConfigured { message } => {
                write!(f, "no API server is configured ({message})")
            }
            Self::ConfigurationNotUsed { message } => {
                write!(
                    f,
                    "the kubeconfig has changed and is not used ({message}); the one before goes on \
                     until it can be, or until a restart"
                )
            }
            // These have their words above.
            Self::DirectoryUnreadable { .. }
            | Self::FileUnreadable { .. }
            | Self::FileTooLarge { .. }
            | Self::Syntax { .. }
            | Self::Emptied
            | Self::Unidentified { .. }
            | Self::InvalidName
            | Self::InvalidField { .. }
            | Self::Duplicate { .. }
            | Self::Repeated
            | Self::NotForPeople
            | Self::UnknownField
            | Self::KindNotForPeople
            | Self::StateUnreadable { .. }
            | Self::StateUnwritable { .. }
            | Self::NotNotified => f.write_str(self.reason()),
        }
    }
}
