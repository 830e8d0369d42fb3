//! Addresses and settings.

use super::*;

fn opened(url: &str, settings: &[(&str, &str)]) -> Result<Store, StoreError> {
    let options = StoreOptions::default();
    let options = settings.iter().fold(options, |options, (name, value)| options.with(name, value));
    Store::open(url, &options, crate::testing::runtime())
}

const S3: [(&str, &str); 2] =
    [("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "hidden-from-all")];
/// The published key of the Azure emulator.
const AZURE: [(&str, &str); 2] = [
    ("AZURE_STORAGE_ACCOUNT_NAME", "devstoreaccount1"),
    (
        "AZURE_STORAGE_ACCOUNT_KEY",
        "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
    ),
];

#[test]
fn every_scheme_has_its_store() {
    for (url, settings) in [
        ("s3://bucket", &S3[..]),
        ("s3://bucket/with/prefix/", &S3),
        ("s3://bucket", &[("AWS_SKIP_SIGNATURE", "true")]),
        ("gs://bucket/prefix", &[("GOOGLE_BEARER_TOKEN", "token")]),
        ("gs://bucket", &[("GOOGLE_SKIP_SIGNATURE", "true")]),
        ("az://container/prefix", &AZURE),
        ("https://host.example/dav/esker", &[]),
        ("http://127.0.0.1:8210/dav", &[("WEBDAV_USERNAME", "me"), ("WEBDAV_PASSWORD", "x")]),
    ] {
        let store = opened(url, settings).unwrap();
        assert_eq!(store.label(), url);
        assert_eq!(store.emulates_create, url.starts_with("http"), "{url}");
    }
}

#[test]
fn without_credentials_nothing_is_asked() {
    for (url, settings, named) in [
        ("s3://bucket", &[][..], "AWS_ACCESS_KEY_ID"),
        ("s3://bucket", &S3[..1], "AWS_SECRET_ACCESS_KEY"),
        ("s3://bucket", &[("AWS_SKIP_SIGNATURE", "false")], "AWS_ACCESS_KEY_ID"),
        ("s3://bucket", &[("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/x")], "AWS_ACCESS_KEY_ID"),
        ("gs://bucket", &[], "GOOGLE_APPLICATION_CREDENTIALS"),
        ("az://container", &AZURE[..1], "AZURE_STORAGE_ACCOUNT_KEY"),
    ] {
        let error = opened(url, settings).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Credentials, "{url}");
        assert!(error.to_string().contains(named), "{error}");
    }
    let options = StoreOptions { ask_metadata_service: true, ..StoreOptions::default() };
    Store::open("s3://bucket", &options, crate::testing::runtime()).unwrap();
}

#[test]
fn plain_http_is_for_this_machine() {
    let with = |endpoint: &'static str| [&S3[..], &[("AWS_ENDPOINT_URL", endpoint)]].concat();
    for endpoint in ["http://127.0.0.1:9000", "http://localhost:9000", "https://s3.example"] {
        opened("s3://bucket", &with(endpoint)).unwrap();
    }
    for (url, settings) in [
        ("s3://bucket", with("http://s3.example")),
        ("s3://bucket", with("http://127.0.0.1.example:9000/")),
        ("http://host.example/dav", Vec::new()),
    ] {
        let error = opened(url, &settings).unwrap_err();
        assert!(matches!(error, StoreError::PlainHttp { .. }), "{error}");
    }
    opened(
        "s3://bucket",
        &[&with("http://s3.example")[..], &[("AWS_ALLOW_HTTP", "true")]].concat(),
    )
    .unwrap();
    let options = StoreOptions { insecure_http: true, ..StoreOptions::default() };
    Store::open("http://host.example/dav", &options, crate::testing::runtime()).unwrap();
}

#[test]
fn addresses_and_settings_that_make_no_sense_are_refused() {
    for (url, settings) in [
        ("s3://", &S3[..]),
        ("s3:///prefix", &S3),
        ("s3://bucket/a//b", &S3),
        ("s3://bucket/../b", &S3),
        ("s3://bucket/x?y", &S3),
        ("az://container", &[]),
        ("az://container", &[AZURE[0], ("AZURE_STORAGE_ACCOUNT_KEY", "not base64!")]),
        ("s3://bucket", &[S3[0], S3[1], ("AWS_ACCESS_KEY", "misspelt")]),
        ("gs://bucket", &[("GOOGLE_SERVICE_ACCOUNT_KEY", "\"hidden-from-all\"")]),
    ] {
        let error = opened(url, settings).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{url}: {error}");
        assert!(!format!("{error} {error:?}").contains("hidden-from-all"), "{error:?}");
    }
}

#[test]
fn no_secret_is_shown() {
    let options = S3.iter().fold(StoreOptions::default(), |it, (name, value)| it.with(name, value));
    let store = Store::open("s3://bucket", &options, crate::testing::runtime()).unwrap();
    assert!(!format!("{options:?} {store:?}").contains("hidden-from-all"));
    let error = opened("https://me:hidden-from-all@host.example/dav", &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("hidden-from-all") && shown.contains("@host.example/dav"), "{shown}");
}

#[test]
fn all_settings_are_known_to_their_stores() {
    for name in StoreOptions::NAMES {
        let key = name.to_ascii_lowercase();
        let is_known = match name.split_once('_').unwrap().0 {
            "AWS" => key.parse::<object_store::aws::AmazonS3ConfigKey>().is_ok(),
            "AZURE" => key.parse::<object_store::azure::AzureConfigKey>().is_ok(),
            "GOOGLE" => key.parse::<object_store::gcp::GoogleConfigKey>().is_ok(),
            _ => true,
        };
        assert!(is_known, "{name}");
    }
}
