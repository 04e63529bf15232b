use super::*;

const SMALL: &str = "name = \"T\"\n[junctions]\na = [0, 0]\nb = [0, 1000]\nc = [1000, 1000]\nd = [1000, 0]\n\
    [[roads]]\nname = \"Slow\"\nkmh = 30\nthrough = [\"a\", \"d\"]\n\
    [[roads]]\nname = \"North\"\nkmh = 120\nthrough = [\"a\", \"b\"]\n\
    [[roads]]\nname = \"Fast\"\nkmh = 120\nthrough = [\"b\", \"c\", \"d\"]\n\
    [[places]]\nname = \"Cafe D\"\nkind = \"cafe\"\nat = \"d\"\nstreet = \"Slow\"\n";

fn junction(town: &Town, east: f64, north: f64) -> Junction {
    town.nearest(east, north).expect("a junction")
}

#[test]
fn the_quickest_way_is_not_the_shortest() {
    let town = Town::read(SMALL).expect("a map");
    let route = town.route(junction(&town, 0.0, 0.0), junction(&town, 1000.0, 0.0)).expect("a way");
    assert_eq!((route.metres, route.seconds), (3000.0, 90.0));
    let legs: Vec<_> = route.legs.iter().map(|leg| (leg.turn, leg.street.as_str(), leg.metres)).collect();
    assert_eq!(legs, [(None, "North", 1000.0), (Some(Turn::Right), "Fast", 2000.0)]);
    let back = town.route(junction(&town, 1000.0, 0.0), junction(&town, 0.0, 0.0)).expect("a way");
    assert_eq!(back.legs[1].turn, Some(Turn::Left));
}

#[test]
fn the_way_to_where_one_is_is_none() {
    let town = Town::brellin();
    let here = junction(&town, 0.0, 0.0);
    assert_eq!(town.route(here, here), Some(Route { legs: Vec::new(), metres: 0.0, seconds: 0.0 }));
}

#[test]
fn the_demo_s_town_is_whole_and_every_place_can_be_reached_from_every_other() {
    let town = Town::brellin();
    assert_eq!(town.name(), "Brellin");
    for from in town.places() {
        for to in town.places() {
            let (there, back) = (town.route(from.at, to.at), town.route(to.at, from.at));
            let (there, back) = (there.expect("a way"), back.expect("a way back"));
            assert!((there.seconds - back.seconds).abs() < 1e-6, "{} to {}", from.name, to.name);
        }
    }
}

#[test]
fn a_map_with_a_fault_says_where() {
    let line = |from: &str, to: &str| match Town::read(&SMALL.replacen(from, to, 1)) {
        Err(TownError::At { line, what }) => (line, what),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        line("\"c\", \"d\"]", "\"x\", \"d\"]"),
        (18, "there is no junction \"x\" in [junctions]".into())
    );
    assert_eq!(line("kmh = 30", "kmh = 3"), (9, "kmh is 3; it is 5 to 130".into()));
    for nowhere in ["[nan, 1000]", "[0, inf]", "[-2e6, 0]"] {
        let (at, what) = line("[0, 1000]", nowhere);
        assert!(at == 4 && what.contains("the junction \"b\""), "{at}: {what}");
    }
    assert_eq!(line("street = \"Slow\"", "street = \"None\"").0, 23);
    assert_eq!(
        line("[\"b\", \"c\", \"d\"]", "[\"a\", \"d\"]").1,
        "the roads fall into parts that do not meet"
    );
    let unknown = Town::read(&SMALL.replace("kmh = 30", "mph = 30")).expect_err("refused").to_string();
    assert!(unknown.contains("line 9") && unknown.contains("mph"), "{unknown}");
}

#[test]
fn no_numbers_are_nowhere() {
    assert_eq!(Town::brellin().nearest(f64::NAN, 0.0), None);
}

#[test]
fn a_place_is_known_as_it_is_spelt_and_as_it_is_heard() {
    let town = Town::brellin();
    let known = |name: &str| town.place(name).map(|place| place.name.as_str());
    for heard in
        ["Saint Anne's Hospital", "saint annes hospital", " the St. Anne's Hospital", "SAINT ANN'S HOSPITAL"]
    {
        assert_eq!(known(heard), Some("Saint Anne's Hospital"), "{heard}");
    }
    assert_eq!(known("Café Anker"), Some("Cafe Anker"));
    assert_eq!(known("queen's-bridge hotel"), Some("Hotel Queen's Bridge"));
    for none in ["", "the", "Old Mill", "Cafe"] {
        assert_eq!(known(none), None, "{none:?}");
    }
    let twice = SMALL.to_owned()
        + "spoken = [\"d cafe\"]\n[[places]]\nname = \"D Café\"\nkind = \"cafe\"\nat = \"d\"\nstreet = \"Slow\"\n";
    assert_eq!(
        Town::read(&twice).expect_err("refused").to_string(),
        "line 26: the place \"D Café\" is there twice"
    );
}
