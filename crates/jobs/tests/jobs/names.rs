//! Names in records are checked again when they are read.

use dray_jobs::{JobId, LocalName, RemoteName};

#[test]
fn a_stored_name_that_breaks_the_rules_is_refused() {
    assert!(serde_json::from_str::<RemoteName>("\"http://host/a\"").is_ok());
    assert!(serde_json::from_str::<RemoteName>("\"file:///a\"").is_err());
    assert!(serde_json::from_str::<LocalName>("\"/a\"").is_ok());
    assert!(serde_json::from_str::<LocalName>(r#""C:\\a""#).is_ok());
    assert!(serde_json::from_str::<LocalName>("\"a\"").is_err());
}

#[test]
fn a_job_id_is_a_uuid_in_lower_case_with_hyphens() {
    let text = "67e55044-10b1-426f-9247-bb680e5fe0c8";
    let id: JobId = text.parse().unwrap();
    assert_eq!(id.to_string(), text);
    assert!("not a uuid".parse::<JobId>().is_err());
}
