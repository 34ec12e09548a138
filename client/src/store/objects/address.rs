//! From a URL to an object store that is as patient as the client of a gateway is.

use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{BackoffConfig, ObjectStore, ObjectStoreScheme, RetryConfig};
use reqwest::Url;

use super::Objects;
use crate::store::StoreError;
use crate::store::gateway::{GatewayOptions, shown};

/// What a request may take, unless the environment says otherwise: an item of ours goes through at 16 KiB a second.
const PATIENCE: [(&str, &str); 3] = [
    ("connect_timeout", "10s"),
    ("read_timeout", "330s"),
    ("timeout", "600s"),
];

pub(super) fn open(text: &str, options: &[(&str, &str)]) -> Result<Objects, StoreError> {
    let bad = |detail: String| StoreError::bad_url(text, detail);
    let url = Url::parse(text).map_err(|error| bad(error.to_string()))?;
    let (scheme, under) = ObjectStoreScheme::parse(&url).map_err(|error| bad(error.to_string()))?;
    // Each builder has keys of a type of its own, so this is written once for all of them.
    macro_rules! build {
        ($builder:ty, $key:ty, $prefix:literal) => {{
            let mut builder = <$builder>::from_env().with_url(text).with_retry(retries());
            let named = |(key, _): &&(&str, &str)| std::env::var_os(concat_key($prefix, key)).is_none();
            for (key, value) in PATIENCE.iter().filter(named).chain(options) {
                let key: $key = key.parse().map_err(|_| bad(format!("it has no option `{key}`")))?;
                builder = builder.with_config(key, *value);
            }
            Arc::new(builder.build().map_err(|error| bad(error.to_string()))?) as Arc<dyn ObjectStore>
        }};
    }
    let store = match (url.scheme(), scheme) {
        (_, ObjectStoreScheme::Local) => {
            let path = url.to_file_path().map_err(|()| bad("it names no path".to_owned()))?;
            return open_folder(&path);
        }
        ("s3" | "s3a", _) => build!(AmazonS3Builder, AmazonS3ConfigKey, "AWS"),
        ("gs", _) => build!(GoogleCloudStorageBuilder, GoogleConfigKey, "GOOGLE"),
        (_, ObjectStoreScheme::MicrosoftAzure) => build!(MicrosoftAzureBuilder, AzureConfigKey, "AZURE"),
        _ => return Err(bad("it is none of s3://, gs://, az:// and file://".to_owned())),
    };
    Ok(Objects {
        store,
        under,
        name: shown(&url),
        folder: None,
    })
}

pub(super) fn open_folder(path: &FilePath) -> Result<Objects, StoreError> {
    let bad = |detail: String| StoreError::BadUrl {
        url: path.display().to_string(),
        detail,
    };
    let folder = std::path::absolute(path).map_err(|error| bad(error.to_string()))?;
    let under = Path::from_absolute_path(&folder).map_err(|error| bad(error.to_string()))?;
    Ok(Objects {
        // What is said to be stored is on the disk.
        store: Arc::new(LocalFileSystem::new().with_fsync(true)),
        under,
        name: folder.display().to_string(),
        folder: Some(folder),
    })
}

/// The environment's name of an option.
fn concat_key(prefix: &str, key: &str) -> String {
    format!("{prefix}_{}", key.to_ascii_uppercase())
}

/// As often and after such pauses as a gateway is tried again.
fn retries() -> RetryConfig {
    let options = GatewayOptions::default();
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: options.first_pause,
            max_backoff: options.longest_pause,
            base: 2.0,
        },
        max_retries: options.attempts.saturating_sub(1) as usize,
        retry_timeout: Duration::from_secs(180),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::store::BlobStore as _;

    #[test]
    fn what_is_no_object_store_is_refused() {
        for address in [
            "",
            "s3:",
            "s3://",
            "memory:///",
            "ftp://host/x",
            "https://host/x",
            "file://host/x",
        ] {
            assert!(
                matches!(open(address, &[]), Err(StoreError::BadUrl { .. })),
                "{address}"
            );
        }
        let unknown = open("s3://bucket", &[("aws_colour", "blue")]);
        assert!(unknown.unwrap_err().to_string().contains("aws_colour"));
    }

    #[test]
    fn buckets_are_named_without_what_is_secret() {
        let options = [
            ("aws_region", "eu-central-1"),
            ("aws_secret_access_key", "hush"),
            ("aws_access_key_id", "me"),
        ];
        let store = open("s3://bucket/some/prefix", &options).unwrap();
        assert_eq!(store.name(), "s3://bucket/some/prefix");
        assert_eq!(store.under.as_ref(), "some/prefix");
        assert_eq!(format!("{store:?}"), r#"Objects("s3://bucket/some/prefix")"#);
        let azure = [
            ("azure_storage_account_name", "account"),
            ("azure_storage_account_key", "aHVzaA=="),
        ];
        assert_eq!(
            open("az://container/prefix", &azure).unwrap().name(),
            "az://container/prefix"
        );
    }

    #[test]
    fn folders_may_have_any_name_and_need_not_be_there() {
        let folder = open_folder(FilePath::new("/no such/folder, 100% ü#1")).unwrap();
        assert_eq!(folder.name(), "/no such/folder, 100% ü#1");
        assert_eq!(open("file:///no%20such/folder", &[]).unwrap().name(), "/no such/folder");
    }
}
