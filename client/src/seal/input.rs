//! What is sealed: a file, which is read where blocking is allowed and straight to where it is encrypted, or a stream,
//! such as standard input. Either is read once, from its beginning to its end.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// A file or stream to be sealed.
pub enum Input<'a> {
    /// A file on disk, from where it stands on.
    File(File),
    /// Anything that can be read.
    Stream(Box<dyn AsyncRead + Unpin + Send + 'a>),
}

/// A file's length and when it was last changed, in seconds and nanoseconds: another one means another content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) length: u64,
    pub(super) modified: (i64, i64),
}

impl Stamp {
    pub(super) fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self {
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        })
    }
}

impl<'a> Input<'a> {
    /// A stream.
    pub fn stream(reader: impl AsyncRead + Unpin + Send + 'a) -> Self {
        Self::Stream(Box::new(reader))
    }

    /// The file, where it is one.
    pub(crate) fn file(&self) -> Option<&File> {
        match self {
            Self::File(file) => Some(file),
            Self::Stream(_) => None,
        }
    }

    /// The stamp of a file as it is now; a stream has none.
    pub(super) fn stamp(&self) -> io::Result<Option<Stamp>> {
        match self {
            Self::File(file) => Stamp::of(file).map(Some),
            Self::Stream(_) => Ok(None),
        }
    }

    /// Has `work` read from it: a file in a thread that may block. `work` and what it owns come back with the result.
    pub(super) async fn read_with<T>(&mut self, mut work: T) -> io::Result<T>
    where
        T: Fill + Send + 'static,
    {
        match self {
            Self::File(file) => {
                // The descriptor is shared, so its position moves on for the next read.
                let mut file = file.try_clone()?;
                let read = tokio::task::spawn_blocking(move || {
                    while let Some(room) = work.room() {
                        match file.read(room) {
                            Ok(0) => {
                                work.ended();
                                break;
                            }
                            Ok(len) => work.filled(len),
                            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                            Err(error) => return Err(error),
                        }
                    }
                    Ok(work)
                });
                read.await.map_err(io::Error::other)?
            }
            Self::Stream(reader) => {
                while let Some(room) = work.room() {
                    match reader.read(room).await? {
                        0 => {
                            work.ended();
                            break;
                        }
                        len => work.filled(len),
                    }
                }
                Ok(work)
            }
        }
    }
}

impl fmt::Debug for Input<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => f.debug_tuple("File").field(file).finish(),
            Self::Stream(_) => f.write_str("Stream(..)"),
        }
    }
}

/// Something to read into, piece by piece.
pub(super) trait Fill {
    /// Where the next bytes go; `None` when it is full.
    fn room(&mut self) -> Option<&mut [u8]>;

    /// So many bytes were put into the room.
    fn filled(&mut self, len: usize);

    /// There are no more.
    fn ended(&mut self);
}

/// Bytes up to a length.
pub(super) struct Bytes {
    pub(super) bytes: Vec<u8>,
    len: usize,
    pub(super) ended: bool,
}

impl Bytes {
    /// Reads on in `bytes`, which holds what was read before, until there are `wanted`.
    pub(super) fn up_to(wanted: usize, mut bytes: Vec<u8>) -> Self {
        let len = bytes.len();
        if len < wanted {
            bytes.resize(wanted, 0);
        }
        Self {
            bytes,
            len,
            ended: false,
        }
    }

    /// What was read.
    pub(super) fn finish(mut self) -> (Vec<u8>, bool) {
        self.bytes.truncate(self.len);
        (self.bytes, self.ended)
    }
}

impl Fill for Bytes {
    fn room(&mut self) -> Option<&mut [u8]> {
        self.bytes.get_mut(self.len..).filter(|room| !room.is_empty())
    }

    fn filled(&mut self, len: usize) {
        self.len += len;
    }

    fn ended(&mut self) {
        self.ended = true;
    }
}
