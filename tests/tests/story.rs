//! The demo's story, as a test.

#![allow(clippy::unwrap_used)]

use chartseal_tests::{report::Report, story};

#[tokio::test]
async fn the_story_turns_out_as_it_must() {
    story::tell(&Report::silent()).await.unwrap();
}
