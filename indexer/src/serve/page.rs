//! Pages: newest first, each begins right after the last row of the one before.
//!
//! A cursor is the place of that row (its time and its key), so rows that are added meanwhile neither shift a page nor
//! appear twice, and page one thousand costs what page one does. What is in a cursor is nobody's business but ours.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{problem::Problem, values::Time};
use crate::sink::Instant;

/// Rows of a page, unless asked otherwise.
const USUAL: u16 = 100;
/// Rows of a page, at most.
pub(crate) const MOST: u16 = 500;

/// Which page.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Paging {
    /// Rows of the page, 1 to 500 [default: 100].
    #[param(minimum = 1, maximum = 500, example = 50)]
    limit: Option<u16>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// A page.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page<T> {
    /// Newest first.
    pub(crate) items: Vec<T>,
    /// The cursor of the next page; null where this one is the last.
    pub(crate) next: Option<String>,
}

/// The place of a row: its time, and the key that tells it from others of that time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position<const N: usize> {
    pub(crate) at: i64,
    pub(crate) key: [u8; N],
}

impl<const N: usize> Position<N> {
    /// Before every row.
    const START: Self = Self {
        at: i64::MAX,
        key: [0xff; N],
    };

    /// Of a row, from the columns that it is ordered by.
    pub(crate) fn of(at: Time, key: &[&[u8]]) -> Option<Self> {
        let key = key.concat().try_into().ok()?;
        Some(Self { at: at.0.0, key })
    }

    /// The time, for a query.
    pub(crate) fn instant(&self) -> Instant {
        Instant(self.at)
    }

    fn cursor(&self) -> String {
        URL_SAFE_NO_PAD.encode([&self.at.to_be_bytes(), &self.key[..]].concat())
    }

    fn read(cursor: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (at, key) = bytes.split_first_chunk()?;
        Some(Self {
            at: i64::from_be_bytes(*at),
            key: key.try_into().ok()?,
        })
    }
}

impl Paging {
    /// Where the page begins.
    pub(crate) fn after<const N: usize>(&self) -> Result<Position<N>, Problem> {
        match self.cursor.as_deref() {
            None => Ok(Position::START),
            Some(cursor) => Position::read(cursor)
                .ok_or_else(|| Problem::bad("cursor: this is not the `next` of a page of this route")),
        }
    }

    fn limit(&self) -> Result<u16, Problem> {
        match self.limit.unwrap_or(USUAL) {
            limit @ 1..=MOST => Ok(limit),
            _ => Err(Problem::bad(format!("limit: a page has 1 to {MOST} rows"))),
        }
    }

    /// How many rows to ask for: one more than the page has, which says whether there is another page.
    pub(crate) fn rows(&self) -> Result<i64, Problem> {
        Ok(i64::from(self.limit()?) + 1)
    }

    /// The page of the rows that came; `position` says where a row is.
    pub(crate) fn page<T, const N: usize>(
        &self,
        mut items: Vec<T>,
        position: impl Fn(&T) -> Option<Position<N>>,
    ) -> Result<Page<T>, Problem> {
        let limit = usize::from(self.limit()?);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).and_then(position);
        Ok(Page {
            items,
            next: next.map(|position| position.cursor()),
        })
    }
}

/// A number as bytes that are ordered as the numbers are; negative ones do not occur.
pub(crate) fn ordered(number: i64) -> [u8; 8] {
    number.to_be_bytes()
}

/// The number again. [`Position::START`] has one beyond all.
pub(crate) fn number(bytes: &[u8]) -> i64 {
    let bytes = bytes.try_into().unwrap_or([0xff; 8]);
    i64::try_from(u64::from_be_bytes(bytes)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_cursor_comes_back_and_fits_its_own_route_only() {
        let position = Position::<24> { at: -5, key: [7; 24] };
        let paging = Paging {
            limit: None,
            cursor: Some(position.cursor()),
        };
        assert_eq!(paging.after::<24>().unwrap(), position);
        assert!(paging.after::<16>().is_err());
    }

    #[test]
    fn the_last_page_has_no_next() {
        let paging = Paging {
            limit: Some(2),
            cursor: None,
        };
        let position = |at: &i64| Position::<0>::of(Time(Instant(*at)), &[]);
        assert!(paging.page(vec![3, 2], position).unwrap().next.is_none());
        let page = paging.page(vec![3, 2, 1], position).unwrap();
        assert_eq!(page.items, [3, 2]);
        let next = Paging {
            limit: None,
            cursor: page.next,
        };
        assert_eq!(next.after::<0>().unwrap().at, 2);
        assert_eq!((number(&ordered(5)), number(&[0xff; 8])), (5, i64::MAX));
    }
}
