//! The schema: types named as the network's gateways name them, with the same fields. Amounts and sizes are text, and what
//! the sandbox cannot know is null where the network allows that.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::sync::Arc;

use async_graphql::{Context, EmptyMutation, EmptySubscription, Enum, Error, ID, InputObject, Object, SimpleObject};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::gateway::catalog::{Entry, Filter, TagTest};
use crate::gateway::head::Head;
use crate::gateway::{BLOCK_MS, Gateway, block_hash, head};

pub(super) type Schema = async_graphql::Schema<Query, EmptyMutation, EmptySubscription>;

/// How many results a page has unless asked for, and at most.
const PAGE: i64 = 10;
const MAX_PAGE: i64 = 100;

/// What going through the catalogue costs, besides what is shown of it.
const SEARCH: usize = 100;

/// The most tags of a filter: an item has no more.
const MAX_TAG_FILTERS: usize = 128;

/// An AR has 10^12 winston.
const AR_DIGITS: usize = 12;

/// In which order transactions come. The newest block is the highest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
enum SortOrder {
    HeightAsc,
    HeightDesc,
}

/// How a tag's value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
enum TagOperator {
    /// It is one of the values.
    Eq,
    /// It is none of the values; there is a tag of this name.
    Neq,
}

/// A tag that a transaction must have.
#[derive(Debug, InputObject)]
struct TagFilter {
    /// The tag's name.
    name: String,
    /// The values of which one is to match.
    values: Vec<String>,
    /// EQ unless it is said.
    #[graphql(default_with = "Some(TagOperator::Eq)")]
    op: Option<TagOperator>,
}

/// Heights, both included.
#[derive(Debug, InputObject)]
struct BlockFilter {
    min: Option<i64>,
    max: Option<i64>,
}

/// A page of transactions.
#[derive(Debug, SimpleObject)]
struct TransactionConnection {
    page_info: PageInfo,
    edges: Vec<TransactionEdge>,
}

#[derive(Debug, SimpleObject)]
struct PageInfo {
    has_next_page: bool,
}

/// A transaction and its place.
#[derive(Debug, SimpleObject)]
struct TransactionEdge {
    /// For `after`: the next page begins behind this transaction.
    cursor: String,
    node: Transaction,
}

/// A transaction of layer one, or a data item.
#[derive(Debug, SimpleObject)]
struct Transaction {
    id: ID,
    anchor: String,
    signature: String,
    /// The recipient's address; empty for none.
    recipient: String,
    owner: Owner,
    fee: Amount,
    quantity: Amount,
    data: MetaData,
    tags: Vec<Tag>,
    block: Option<Block>,
    /// The same as `bundledIn`, which came after it.
    #[graphql(deprecation = "Use `bundledIn`")]
    parent: Option<Parent>,
    /// The transaction that a data item came in, if it came in one.
    bundled_in: Option<Bundle>,
}

#[derive(Debug, SimpleObject)]
struct Owner {
    /// The SHA-256 of the public key, base64url.
    address: String,
    /// The public key, base64url.
    key: String,
}

#[derive(Debug, SimpleObject)]
struct Amount {
    winston: String,
    ar: String,
}

#[derive(Debug, SimpleObject)]
struct MetaData {
    /// In bytes.
    size: String,
    /// The value of the tag `Content-Type`.
    #[graphql(name = "type")]
    content_type: Option<String>,
}

#[derive(Debug, SimpleObject)]
struct Tag {
    name: String,
    value: String,
}

#[derive(Debug, SimpleObject)]
struct Block {
    id: ID,
    /// In seconds after 1970.
    timestamp: u64,
    height: u64,
    previous: ID,
}

#[derive(Debug, SimpleObject)]
struct Parent {
    id: ID,
}

#[derive(Debug, SimpleObject)]
struct Bundle {
    id: ID,
}

/// What can be asked.
#[derive(Debug)]
pub(super) struct Query;

#[Object]
impl Query {
    /// The transaction or data item of this id, if the gateway has it.
    async fn transaction(&self, context: &Context<'_>, id: ID) -> Result<Option<Transaction>, Error> {
        with(context, move |gateway| {
            let Some(entry) = gateway.catalog.find(&id) else {
                return Ok(None);
            };
            Ok(gateway
                .read(&entry)?
                .map(|(head, size)| Transaction::new(&entry, head, size)))
        })
        .await
    }

    /// Transactions and data items that pass all filters, a page at a time. An empty list filters nothing.
    #[graphql(complexity = "cost(first, child_complexity)")]
    // The network's arguments.
    #[allow(clippy::too_many_arguments)]
    async fn transactions(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "One of these ids.")] ids: Option<Vec<ID>>,
        #[graphql(desc = "An owner with one of these addresses or public keys.")] owners: Option<Vec<String>>,
        #[graphql(desc = "A recipient with one of these addresses.")] recipients: Option<Vec<String>>,
        #[graphql(desc = "All of these tags.")] tags: Option<Vec<TagFilter>>,
        #[graphql(desc = "Data items of one of these bundles.")] bundled_in: Option<Vec<ID>>,
        #[graphql(desc = "A block of these heights.")] block: Option<BlockFilter>,
        #[graphql(desc = "How many results a page has, at most 100.", default_with = "Some(PAGE)")] first: Option<i64>,
        #[graphql(desc = "The cursor behind which the page begins.")] after: Option<String>,
        #[graphql(desc = "The order of the results.", default_with = "Some(SortOrder::HeightDesc)")] sort: Option<
            SortOrder,
        >,
    ) -> Result<TransactionConnection, Error> {
        let block = block.unwrap_or(BlockFilter { min: None, max: None });
        let filter = Filter {
            ids: set(ids),
            owners: owners.unwrap_or_default().into_iter().flat_map(addresses).collect(),
            recipients: set(recipients),
            bundled_in: set(bundled_in),
            tags: tag_tests(tags.unwrap_or_default())?,
            heights: block.min.unwrap_or(0)..=block.max.unwrap_or(i64::MAX),
        };
        let count = page_size(first)?;
        let after = after.filter(|cursor| !cursor.is_empty());
        let after = after.as_deref().map(place).transpose()?;
        let descending = sort != Some(SortOrder::HeightAsc);
        with(context, move |gateway| {
            let (entries, has_next_page) = gateway.catalog.page(&filter, descending, after, count);
            let mut edges = Vec::with_capacity(entries.len());
            for entry in entries {
                // What somebody has deleted from the folder is no longer there to be shown.
                if let Some((head, size)) = gateway.read(&entry)? {
                    edges.push(TransactionEdge {
                        cursor: cursor(entry.at),
                        node: Transaction::new(&entry, head, size),
                    });
                }
            }
            Ok(TransactionConnection {
                page_info: PageInfo { has_next_page },
                edges,
            })
        })
        .await
    }
}

/// Reads files where that holds up nobody else.
async fn with<T: Send + 'static>(
    context: &Context<'_>,
    work: impl FnOnce(&Gateway) -> io::Result<T> + Send + 'static,
) -> Result<T, Error> {
    let gateway = Arc::clone(context.data::<Arc<Gateway>>()?);
    let done = tokio::task::spawn_blocking(move || work(&gateway)).await;
    done.map_err(io::Error::other).flatten().map_err(|error| {
        tracing::error!(%error, "the gateway's folder");
        Error::new(format!("the gateway cannot use its folder: {error}"))
    })
}

impl Gateway {
    /// What is not in the catalogue: the head of an item, and how long its data is.
    fn read(&self, entry: &Entry) -> io::Result<Option<(Head, u64)>> {
        let Some((data, info)) = self.store.find(&entry.id)? else {
            return Ok(None);
        };
        let size = File::metadata(&data)?.len();
        Ok(head(&self.layer_one, &entry.id, &info)?.map(|head| (head, size)))
    }
}

impl Transaction {
    fn new(entry: &Entry, head: Head, size: u64) -> Self {
        let mut tags = head.tags.iter();
        let content_type = tags.find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        Self {
            id: ID::from(&entry.id),
            anchor: head.anchor,
            signature: head.signature,
            recipient: head.recipient,
            owner: Owner {
                address: entry.owner.clone(),
                key: head.key,
            },
            fee: Amount::new(head.fee),
            quantity: Amount::new(head.quantity),
            data: MetaData {
                size: size.to_string(),
                content_type: content_type.map(|(_, value)| value.clone()),
            },
            tags: head.tags.into_iter().map(|(name, value)| Tag { name, value }).collect(),
            block: Some(Block {
                id: ID(block_hash(entry.height)),
                timestamp: entry.height * BLOCK_MS / 1_000,
                height: entry.height,
                previous: ID(block_hash(entry.height.saturating_sub(1))),
            }),
            parent: entry.bundled_in.as_ref().map(|id| Parent { id: ID::from(id) }),
            bundled_in: entry.bundled_in.as_ref().map(|id| Bundle { id: ID::from(id) }),
        }
    }
}

impl Amount {
    fn new(winston: String) -> Self {
        let padded = format!("{winston:0>width$}", width = AR_DIGITS + 1);
        let (whole, part) = padded.split_at_checked(padded.len() - AR_DIGITS).unwrap_or_default();
        Self {
            ar: format!("{whole}.{part}"),
            winston,
        }
    }
}

fn set<T: Into<String>>(list: Option<Vec<T>>) -> HashSet<String> {
    list.unwrap_or_default().into_iter().map(Into::into).collect()
}

/// The address that an owner is asked for by, or that of the public key that it is.
fn addresses(owner: String) -> impl Iterator<Item = String> {
    let key = BASE64_URL_SAFE_NO_PAD.decode(&owner).ok();
    let address = key.map(|key| BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(key)));
    [Some(owner), address].into_iter().flatten()
}

fn tag_tests(filters: Vec<TagFilter>) -> Result<Vec<TagTest>, Error> {
    if filters.len() > MAX_TAG_FILTERS {
        return Err(Error::new(format!(
            "at most {MAX_TAG_FILTERS} tags can be asked for at once"
        )));
    }
    let test = |filter: TagFilter| TagTest {
        name: filter.name,
        values: filter.values.into_iter().collect(),
        equal: filter.op != Some(TagOperator::Neq),
    };
    Ok(filters.into_iter().map(test).collect())
}

/// More than a page's most is that; nothing is what a page has unless asked for.
fn page_size(first: Option<i64>) -> Result<usize, Error> {
    let size = first.filter(|first| *first != 0).unwrap_or(PAGE).min(MAX_PAGE);
    usize::try_from(size).map_err(|_| Error::new("`first` is how many results a page has: 1 to 100"))
}

/// What a page costs whose results cost so much each.
fn cost(first: Option<i64>, each: usize) -> usize {
    SEARCH + page_size(first).unwrap_or_default() * each
}

fn cursor(at: u64) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(at.to_be_bytes())
}

fn place(cursor: &str) -> Result<u64, Error> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok();
    let at = bytes.and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
    at.ok_or_else(|| Error::new("`after` is no cursor of this gateway; take that of a result, or leave it out"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_told_in_winston_and_in_ar() {
        for (winston, ar) in [
            ("0", "0.000000000000"),
            ("3210000", "0.000003210000"),
            ("1000000000000", "1.000000000000"),
            ("123456789012345", "123.456789012345"),
        ] {
            assert_eq!(Amount::new(winston.to_owned()).ar, ar);
        }
    }

    #[test]
    fn a_cursor_is_a_place_and_nothing_else_is_one() {
        assert_eq!(place(&cursor(77)).ok(), Some(77));
        for text in ["a", "AAAA", "=", "WyIyMDIyLTEyLTMwVDE2OjQ0OjIzLjc0OVoiLDEwMF0="] {
            assert!(place(text).is_err(), "{text}");
        }
    }
}
