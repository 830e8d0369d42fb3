use super::*;

fn altered(fault: Fault, arguments: Value, value: Value) -> (bool, u16, Value) {
    let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
    let mut answer = Answer::json(value);
    let changed = alter(&fault, &arguments, &mut answer);
    let Content::Json(value) = answer.content else { panic!("no JSON") };
    (changed, answer.status, value)
}

#[test]
fn answers_are_altered() {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let page = || json!({"issues": [{"id": "1", "fields": {"n": 1}}, {"id": "2"}], "isLast": true});
    for (fault, arguments, before, after) in [
        (
            Fault::RepeatedPageToken,
            json!({"nextPageToken": "t"}),
            json!({"isLast": true}),
            json!({"isLast": false, "nextPageToken": "t"}),
        ),
        (Fault::RepeatedRow, json!({}), json!([1, 2]), json!([1, 2, 1])),
        (
            Fault::MissingRows(1),
            json!({}),
            page(),
            json!({"issues": [{"id": "2"}], "isLast": true}),
        ),
        (
            Fault::RowsWithoutFields(1),
            json!({"failFast": false}),
            page(),
            json!({"issues": [{"id": "1"}, {"id": "2"}], "isLast": true}),
        ),
        (
            Fault::IssueErrors(1),
            json!({}),
            json!({"issues": [{"id": "1"}], "issueErrors": []}),
            json!({"issues": [], "issueErrors": [
                {"id": "1", "errorMessage": "The issue could not be retrieved."}]}),
        ),
        (
            Fault::NumbersAsStrings,
            json!({}),
            json!({"a": [1, {"b": 2}]}),
            json!({"a": ["1", {"b": "2"}]}),
        ),
        (
            Fault::NullProperties(names(&["n"])),
            json!({}),
            json!([{"n": {"n": 1}, "m": {"n": 1}}]),
            json!([{"n": null, "m": {"n": null}}]),
        ),
        (
            Fault::MissingProperties(names(&["n"])),
            json!({}),
            json!({"m": {"n": 1}}),
            json!({"m": {}}),
        ),
        (Fault::NoInsight, json!({}), json!({"values": [{"insight": 1}]}), json!({"values": [{}]})),
        (Fault::WrongCount { by: -9 }, json!({}), json!({"count": 5}), json!({"count": 0})),
    ] {
        let name = format!("{fault:?}");
        assert_eq!(altered(fault, arguments, before), (true, 200, after), "{name}");
    }
}

#[test]
fn what_does_not_fit_is_left_alone() {
    let value = json!({"id": "1"});
    for fault in [
        Fault::RepeatedPageToken,
        Fault::RepeatedRow,
        Fault::IssueErrors(1),
        Fault::NoInsight,
        Fault::WrongCount { by: 1 },
        Fault::IgnoredRange,
        Fault::Cut,
    ] {
        let name = format!("{fault:?}");
        assert_eq!(altered(fault, json!({}), value.clone()), (false, 200, value.clone()), "{name}");
    }
}

#[test]
fn whoever_wants_to_fail_fast_fails() {
    for fault in [Fault::MissingRows(1), Fault::RowsWithoutFields(1)] {
        let (changed, status, _) = altered(fault, json!({"failFast": true}), json!([1]));
        assert!(changed);
        assert_eq!(status, 500);
    }
}

#[test]
fn files_become_longer_and_shorter() {
    let file = |range| File {
        media_type: String::new(),
        range,
        length: 4,
        read: Arc::new(|range| {
            Bytes::copy_from_slice(&b"abcd"[range.start as usize..range.end as usize])
        }),
    };
    for (range, by, expected) in [
        (0..4, 2, "abcd\0\0"),
        (0..4, -1, "abc"),
        (1..3, 2, "bc"),
        (3..4, -2, ""),
        (2..4, 1, "cd\0"),
    ] {
        let mut file = file(range.clone());
        assert!(lengthen(&mut file, by));
        let bytes = (file.read)(file.range.clone());
        assert_eq!(bytes, expected.as_bytes(), "{range:?} {by}");
        assert_eq!(bytes.len() as u64, file.range.end - file.range.start);
    }
}
