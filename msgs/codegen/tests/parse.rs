//! Reading .msg files as ROS 2 does.

use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use troika_msgs_codegen::{
    Array, Base, Folder, Interfaces, MsgFile, ParseErrorKind, Primitive, SetError, Type, parse::parse,
    parse_service, rust,
};

fn read(text: &str) -> MsgFile {
    parse("some_msgs", "Some", text).expect("it reads")
}

fn refused(text: &str) -> (usize, ParseErrorKind) {
    let error = parse("some_msgs", "Some", text).expect_err("it is refused");
    (error.line, error.kind)
}

#[test]
fn a_service_is_two_messages_and_an_error_names_its_line() {
    let service = parse_service("some_msgs", "Add", "# Adds.\nint64 a\nint64 b\n---\nint64 sum # of both\n")
        .expect("it reads");
    assert_eq!(service.full_name(), "some_msgs/srv/Add");
    assert_eq!(service.request.full_name(), "some_msgs/srv/Add_Request");
    assert_eq!((service.request.fields.len(), service.request.docs[0].as_str()), (2, "Adds."));
    assert_eq!(
        (service.response.name.as_str(), service.response.fields[0].name.as_str()),
        ("Add_Response", "sum")
    );
    let refused = |text: &str| {
        let error = parse_service("some_msgs", "Add", text).expect_err("it is refused");
        (error.line, error.kind)
    };
    assert_eq!(refused("int64 a\n"), (0, ParseErrorKind::Separator));
    assert_eq!(refused("---\nint64 a\n---\n"), (3, ParseErrorKind::Separator));
    assert_eq!(refused("int64 a\n---\n\nint64 B\n"), (4, ParseErrorKind::FieldName("B".to_owned())));
}

#[test]
fn types_of_every_form_are_read() {
    let file = read(
        "byte a\nchar b\nstring<=5[<=2] c\nfloat32[4] d\nOther[] e\nstd_msgs/Header f\nwstring g\n\tuint8\th\n",
    );
    let types: Vec<Type> = file.fields.into_iter().map(|f| f.ty).collect();
    let message = |package: &str, name: &str| Base::Message {
        package: package.into(),
        folder: Folder::Msg,
        name: name.into(),
    };
    let ty = |base, array| Type { base, array };
    assert_eq!(
        types,
        [
            ty(Base::Primitive(Primitive::Byte), Array::One),
            ty(Base::Primitive(Primitive::Uint8), Array::One),
            ty(Base::String(Some(5)), Array::Bounded(2)),
            ty(Base::Primitive(Primitive::Float32), Array::Fixed(4)),
            ty(message("some_msgs", "Other"), Array::Unbounded),
            ty(message("std_msgs", "Header"), Array::One),
            ty(Base::WString(None), Array::One),
            ty(Base::Primitive(Primitive::Uint8), Array::One),
        ]
    );
}

#[test]
fn comments_go_to_what_they_describe() {
    let file =
        read("# The message.\n# Still.\nuint8 a # one\n        # more\n\n# above\nuint8 K=1\nuint8 b\n");
    assert_eq!(file.docs, ["The message.", "Still."]);
    assert_eq!(file.fields[0].docs, ["one", "more"]);
    assert_eq!(file.constants[0].docs, ["above"]);
    assert!(file.fields[1].docs.is_empty());
    assert_eq!(read("# Empty but told of.\n").docs, ["Empty but told of."]);
}

#[test]
fn constants_and_defaults_must_fit_their_type() {
    let file = read(
        "uint8 TOP=255\nstring WORD = \"two words\"\nint8 low -128\nbool on True\nstring s 'x \\'y\"'\n",
    );
    assert_eq!(file.constants[0].value, "255");
    assert_eq!(file.constants[1].value, "two words");
    let defaults: Vec<_> = file.fields.iter().map(|f| f.default.as_deref()).collect();
    assert_eq!(defaults, [Some("-128"), Some("true"), Some("x 'y\"")]);

    for line in ["uint8 A=256", "uint8 A=-1", "int8 a 128", "bool a yes", "float32 A=inf", "string A=\"\\n\""]
    {
        assert!(matches!(refused(line), (1, ParseErrorKind::Value(_))), "{line}");
    }
    assert_eq!(refused("uint8[] A=1").1, ParseErrorKind::ConstantType);
    for line in ["string A=\"a\" b", "string A=\"", "string A='a'b'", "string A=it's"] {
        assert!(matches!(refused(line), (1, ParseErrorKind::Value(_))), "{line}");
    }
    assert_eq!(refused("Other a 1").1, ParseErrorKind::DefaultType);
}

#[test]
fn a_mistake_is_told_with_its_line() {
    assert_eq!(refused("uint8 a\n\nuint9 b\n"), (3, ParseErrorKind::Type("uint9".into())));
    assert_eq!(refused("uint8\n"), (1, ParseErrorKind::NoName));
    assert_eq!(refused("uint8 aB"), (1, ParseErrorKind::FieldName("aB".into())));
    assert_eq!(refused("uint8 a__b"), (1, ParseErrorKind::FieldName("a__b".into())));
    assert_eq!(refused("uint8 a=1"), (1, ParseErrorKind::ConstantName("a".into())));
    assert_eq!(refused("uint8 a\nuint8 a"), (2, ParseErrorKind::Twice("a".into())));
    for bound in ["0", "-1", "+1", "x", "4294967296"] {
        assert_eq!(refused(&format!("uint8[{bound}] a")), (1, ParseErrorKind::Bound(bound.into())));
    }
    assert!(parse("Some_msgs", "Some", "").is_err());
    assert!(parse("some_msgs", "some", "").is_err());
}

#[test]
fn a_set_holds_together_or_says_what_is_amiss() {
    let file = |name, text| parse("some_msgs", name, text).expect("it reads");
    let set = |files: &[MsgFile]| Interfaces::new(files.to_vec()).map(|_| ());
    let missing = SetError::Missing { user: "some_msgs/msg/A".into(), missing: "some_msgs/msg/B".into() };
    assert_eq!(set(&[file("A", "B b")]), Err(missing));
    let circle = set(&[file("A", "B b"), file("B", "A[] a")]);
    assert_eq!(circle, Err(SetError::Circle("some_msgs/msg/A".into())));
    assert_eq!(set(&[file("A", ""), file("A", "")]), Err(SetError::Twice("some_msgs/msg/A".into())));
    assert_eq!(set(&[file("A", "B b\nB[] c"), file("B", "")]), Ok(()));
}

#[test]
fn what_the_rust_types_do_not_carry_is_refused_by_name() {
    for (text, field) in [("wstring w", "w"), ("uint8[] a [1, 2]", "a")] {
        let set = Interfaces::new([read(text)]).expect("it holds together");
        assert_eq!(rust::source(&set, &[]).expect_err("it is refused").field, field);
    }
    let set = Interfaces::new([read("float64[36] covariance")]).expect("it holds together");
    assert!(rust::source(&set, &[]).expect("a long array is carried").contains("Long<f64, 36>"));
}

#[test]
fn any_text_is_a_file_or_an_error() {
    let words = prop::sample::select(vec![
        "uint8", "string", "<=", "[", "]", "=", " ", "\n", "#", "\"", "a", "A", "_", "1", "/", "-", "Other",
        "é", "\t",
    ]);
    let text = prop_oneof![any::<String>(), prop::collection::vec(words, 0..30).prop_map(|w| w.concat())];
    let config = Config { cases: 4000, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let ran = runner.run(&text, |text| {
        let lines = text.lines().count();
        if let Err(e) = parse("some_msgs", "Some", &text) {
            prop_assert!((1..=lines).contains(&e.line), "line {} of {}", e.line, lines);
        }
        Ok(())
    });
    ran.unwrap_or_else(|e| panic!("{e}"));
}
