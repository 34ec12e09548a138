//! A clinic's privacy budget: how much its contributions may say, all studies together, about any one observation. Every
//! noisy contribution costs the sum of its epsilons, and they add up (sequential composition). The budget is a small file
//! that is written before the noise is drawn: a contribution that was made and lost has been paid for, since nobody knows
//! that it was not seen.
//!
//! Whoever can write to the folder can put an old file back. The digest in the file finds damage, not intent.

use std::{
    fs::{File, TryLockError},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use borsh::{BorshDeserialize, BorshSerialize};

use crate::{study::Study, transcript::Transcript};

const VERSION: u8 = 1;

/// Why nothing was spent.
#[derive(Debug, thiserror::Error)]
pub enum BudgetError {
    #[error("this costs {cost} thousandths of epsilon and {remaining} are left: take part in a study that costs less")]
    Spent { cost: u64, remaining: u64 },
    #[error("the study has no noise, so it costs no budget and keeps to none: contribute without one")]
    NoNoise,
    #[error("the budget {0} is open in another process: let that one finish")]
    Busy(PathBuf),
    #[error(
        "the budget {0} is damaged: restore it from a backup that was made after the last contribution, or else treat it as spent"
    )]
    Damaged(PathBuf),
    #[error(
        "the budget {path} cannot be read or written ({error}): nothing was spent as far as is known; mend that first"
    )]
    Io { path: PathBuf, error: io::Error },
}

/// What was spent at once.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Spending {
    /// [`Study::id`].
    pub study: [u8; 16],
    /// [`Study::epoch`].
    pub epoch: u64,
    /// Thousandths of epsilon.
    pub cost: u64,
}

#[derive(BorshSerialize, BorshDeserialize)]
struct Content {
    version: u8,
    limit: u64,
    spent: Vec<Spending>,
}

#[derive(BorshSerialize, BorshDeserialize)]
struct Stored {
    content: Content,
    digest: [u8; 32],
}

/// A budget in its file, which no other process opens meanwhile.
#[derive(Debug)]
pub struct Budget {
    path: PathBuf,
    limit: u64,
    spent: Vec<Spending>,
    _lock: File,
}

impl Budget {
    /// Makes a new file with this much to spend, in thousandths of epsilon.
    ///
    /// # Errors
    /// [`BudgetError::Io`], also where there is a file already; [`BudgetError::Busy`].
    pub fn create(path: &Path, limit: u64) -> Result<Self, BudgetError> {
        let lock = lock(path)?;
        if path.try_exists().map_err(|error| io_error(path, error))? {
            return Err(io_error(path, io::ErrorKind::AlreadyExists.into()));
        }
        let budget = Self {
            path: path.to_owned(),
            limit,
            spent: Vec::new(),
            _lock: lock,
        };
        budget.store(&budget.spent)?;
        Ok(budget)
    }

    /// Opens the file that [`create`](Self::create) made.
    ///
    /// # Errors
    /// [`BudgetError::Io`], [`BudgetError::Busy`], [`BudgetError::Damaged`].
    pub fn open(path: &Path) -> Result<Self, BudgetError> {
        let lock = lock(path)?;
        let bytes = std::fs::read(path).map_err(|error| io_error(path, error))?;
        let stored: Option<Stored> = borsh::from_slice(&bytes).ok();
        let Some(Stored { content, digest }) = stored else {
            return Err(BudgetError::Damaged(path.to_owned()));
        };
        if content.version != VERSION || content.digest() != digest {
            return Err(BudgetError::Damaged(path.to_owned()));
        }
        Ok(Self {
            path: path.to_owned(),
            limit: content.limit,
            spent: content.spent,
            _lock: lock,
        })
    }

    /// Thousandths of epsilon that are left.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        let spent = self
            .spent
            .iter()
            .fold(0u64, |sum, spending| sum.saturating_add(spending.cost));
        self.limit.saturating_sub(spent)
    }

    /// What was spent, in this order.
    #[must_use]
    pub fn spent(&self) -> &[Spending] {
        &self.spent
    }

    /// Spends what one contribution to the study costs. It is on the disk when this returns.
    ///
    /// # Errors
    /// [`BudgetError`], and nothing was spent.
    pub fn spend(&mut self, study: &Study) -> Result<(), BudgetError> {
        let cost = study.noise.ok_or(BudgetError::NoNoise)?.cost();
        let remaining = self.remaining();
        if cost > remaining {
            return Err(BudgetError::Spent { cost, remaining });
        }
        let mut spent = self.spent.clone();
        spent.push(Spending {
            study: study.id,
            epoch: study.epoch,
            cost,
        });
        self.store(&spent)?;
        self.spent = spent;
        Ok(())
    }

    /// Writes beside the file and renames, so that there is always a whole one.
    fn store(&self, spent: &[Spending]) -> Result<(), BudgetError> {
        let content = Content {
            version: VERSION,
            limit: self.limit,
            spent: spent.to_vec(),
        };
        let digest = content.digest();
        let write = || {
            let bytes = borsh::to_vec(&Stored { content, digest })?;
            let beside = beside(&self.path, ".new");
            let mut file = File::create(&beside)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            std::fs::rename(&beside, &self.path)?;
            let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
        };
        write().map_err(|error| io_error(&self.path, error))
    }
}

impl Content {
    fn digest(&self) -> [u8; 32] {
        let mut transcript = Transcript::new("budget");
        transcript.append("version", &[self.version]);
        transcript.append_number("limit", self.limit);
        for spending in &self.spent {
            transcript.append("study", &spending.study);
            transcript.append_number("epoch", spending.epoch);
            transcript.append_number("cost", spending.cost);
        }
        transcript.digest()
    }
}

fn lock(path: &Path) -> Result<File, BudgetError> {
    let file = File::create(beside(path, ".lock")).map_err(|error| io_error(path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(BudgetError::Busy(path.to_owned())),
        Err(TryLockError::Error(error)) => Err(io_error(path, error)),
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn io_error(path: &Path, error: io::Error) -> BudgetError {
    BudgetError::Io {
        path: path.to_owned(),
        error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{group::Point, noise::Noise};

    fn study(epoch: u64) -> Study {
        Study {
            id: [3; 16],
            epoch,
            bounds: vec![0],
            minimum: 3,
            committee: [0; 32],
            key: Point::of(&crate::group::G),
            noise: Some(Noise {
                bins: 200,
                sum: 100,
                squares: 100,
            }),
        }
    }

    #[test]
    fn a_budget_is_spent_once_and_stays_spent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("budget");
        let mut budget = Budget::create(&path, 1000).unwrap();
        assert!(matches!(Budget::open(&path), Err(BudgetError::Busy(_))));
        budget.spend(&study(1)).unwrap();
        drop(budget);
        let mut budget = Budget::open(&path).unwrap();
        assert_eq!(budget.remaining(), 600);
        budget.spend(&study(2)).unwrap();
        let refused = budget.spend(&study(3));
        assert!(matches!(
            refused,
            Err(BudgetError::Spent {
                cost: 400,
                remaining: 200
            })
        ));
        assert!(matches!(
            budget.spend(&Study {
                noise: None,
                ..study(3)
            }),
            Err(BudgetError::NoNoise)
        ));
        drop(budget);
        let epochs: Vec<_> = Budget::open(&path).unwrap().spent().iter().map(|it| it.epoch).collect();
        assert_eq!(epochs, [1, 2]);
        let again = Budget::create(&path, 1000);
        assert!(matches!(again, Err(BudgetError::Io { error, .. }) if error.kind() == io::ErrorKind::AlreadyExists));
    }

    #[test]
    fn a_damaged_budget_gives_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("budget");
        Budget::create(&path, 1000).unwrap().spend(&study(1)).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for place in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[place] ^= 1;
            std::fs::write(&path, damaged).unwrap();
            assert!(
                matches!(Budget::open(&path), Err(BudgetError::Damaged(_))),
                "byte {place}"
            );
        }
        std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        assert!(matches!(Budget::open(&path), Err(BudgetError::Damaged(_))));
        std::fs::write(&path, &whole).unwrap();
        assert_eq!(Budget::open(&path).unwrap().remaining(), 600);
    }
}
