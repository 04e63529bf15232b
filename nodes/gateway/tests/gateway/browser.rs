//! The fleet's page in a real browser.

use serde_json::{Value, json};
use troika_browser::{Browser, artefacts};

use crate::{
    upstream::{Does, Service},
    world::{STREAM, World, post, question},
};

/// The cells of a vehicle's line, or null.
async fn cells_of(browser: &mut Browser, vehicle: &str) -> Vec<String> {
    let cells = format!(
        "[...document.querySelectorAll('#rows tr')].filter((tr) => tr.children[1].textContent === '{vehicle}')
            .flatMap((tr) => [...tr.children].map((td) => td.textContent))"
    );
    serde_json::from_value(browser.eval(&cells).await).expect("texts")
}

async fn report(world: &World, vehicle: &std::sync::Arc<rustls::ClientConfig>, report: Value) {
    assert_eq!(world.ask(vehicle, post("/v1/vehicle/report", report.to_string())).await.status, 204);
}

#[tokio::test]
async fn an_operator_sees_what_vehicles_report_as_it_changes_with_trouble_first() {
    let service = Service::new().await;
    let world = World::new(&[&service], "").await;
    let (anna, bruno, carla) = (world.vehicle("anna"), world.vehicle("bruno"), world.vehicle("carla"));
    let calm =
        json!({"link": "up", "rtt_ms": 80, "tier": "cloud", "driver_state": "attentive", "latency_ms": 700});
    // Held, so that they are connected.
    let mut held = Vec::new();
    for vehicle in [&anna, &bruno] {
        held.push(world.connect(vehicle).await.expect("connected"));
        report(&world, vehicle, calm.clone()).await;
    }
    report(&world, &carla, json!({"link": "up", "tier": "on_vehicle"})).await;
    assert_eq!(world.ask(&anna, question(STREAM)).await.status, 200);
    let mut browser = Browser::open(&format!("http://{}/", world.admin), 1360, 620).await;
    browser.until("document.querySelectorAll('#rows tr').length === 3").await;
    let line = cells_of(&mut browser, "anna").await;
    assert_eq!(line[..7], ["fine", "anna", "up", "80", "cloud", "attentive", "700"], "{line:?}");
    assert_eq!(line[8..11], ["1", "0", "0.0000"], "{line:?}");
    assert!(line[11].ends_with(" s ago") && line[12] == "now", "{line:?}");
    browser
        .until(
            "[...document.querySelectorAll('#rows tr')].at(-1).children[0].textContent === 'not connected'",
        )
        .await;

    // A change comes over /events, and whoever is in trouble goes up.
    let trouble = json!({"link": "down", "rtt_ms": 2400, "tier": "on_vehicle", "driver_state": "eyes_closed", "latency_ms": 3100, "errors": 2});
    report(&world, &bruno, trouble).await;
    browser.until("document.querySelector('#rows tr').children[1].textContent === 'bruno'").await;
    let line = cells_of(&mut browser, "bruno").await;
    assert_eq!(line[..3], ["driver: eyes closed, link down, 2 errors, slow", "bruno", "down"], "{line:?}");
    let badge = "document.querySelector('#rows tr .badge').className";
    assert_eq!(browser.eval(badge).await, "badge bad");
    let tiles = browser.eval("document.getElementById('tiles').innerText").await.to_string();
    assert!(tiles.contains("2 of 3") && tiles.contains("answers"), "{tiles}");
    service.does(vec![Does::Head, Does::Says("Turn"), Does::Closes]);
    world.ask(&anna, question(STREAM)).await;
    browser.until("document.querySelectorAll('#rows tr')[1].children[0].textContent === '1 error'").await;

    // Asked for by a column, by name, and for trouble alone.
    browser.eval("document.querySelectorAll('#head button')[1].click()").await;
    let first = "document.querySelector('#rows tr').children[1].textContent";
    assert_eq!(browser.eval(first).await, "anna");
    assert_eq!(browser.eval("document.querySelector('[aria-sort]').textContent").await, "vehicle");
    browser.eval("document.querySelectorAll('#head button')[0].click()").await;
    browser.eval("document.getElementById('trouble').click()").await;
    assert_eq!(browser.eval("document.querySelectorAll('#rows tr').length").await, 2);
    browser.eval("document.getElementById('trouble').click()").await;
    let find = "(text) => { const find = document.getElementById('find'); find.value = text; find.dispatchEvent(new Event('input')); }";
    browser.eval(&format!("({find})('ARL')")).await;
    assert_eq!(browser.eval(first).await, "carla");
    browser.eval(&format!("({find})('')")).await;

    // The gateway goes, and the page says so.
    world.gateway.end();
    browser.until("document.getElementById('state').className === 'bad'").await;
    browser.end().await;
}

#[tokio::test]
async fn whatever_a_vehicle_could_send_is_text_and_never_runs() {
    let service = Service::new().await;
    let world = World::new(&[&service], "").await;
    let anna = world.vehicle("anna");
    report(&world, &anna, json!({"link": "up", "tier": "cloud"})).await;
    let mut browser = Browser::open(&format!("http://{}/", world.admin), 1360, 620).await;
    browser.until("document.querySelectorAll('#rows tr').length === 1").await;
    // Past the gateway, which lets through no such names and no such words: as if it had.
    let hostile = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>";
    let row = json!({"vehicle": hostile, "connections": 1, "seen": 0, "requests": 1, "errors": 0, "first_byte_ms": null, "cost_micro_euro": 0,
                     "report": {"link": hostile, "tier": hostile, "driver_state": hostile, "rtt_ms": hostile, "latency_ms": hostile, "errors": hostile}});
    let state = json!({"rows": [row], "waiting": hostile, "now": 0, "store": true, "audit_lost": 0,
                       "upstreams": [{"name": hostile, "running": 0, "asked": true, "fine": false, "fault": hostile}]});
    browser.eval(&format!("take({state})")).await;
    let text = serde_json::to_string(hostile).expect("JSON");
    assert_eq!(
        browser
            .eval(&format!(
                "document.querySelectorAll('#rows tr').length === 2 && [...rows.keys()].includes({text})"
            ))
            .await,
        true
    );
    assert_eq!(
        browser
            .eval(&format!(
                "[...document.querySelectorAll('#rows td')].some((td) => td.textContent === {text})"
            ))
            .await,
        true
    );
    assert_eq!(browser.eval("document.querySelectorAll('img, #rows script, #tiles script').length").await, 0);
    // And were it markup, the policy would not let it run.
    browser.eval("document.body.append(Object.assign(document.createElement('script'), {textContent: \"document.title = 'owned'\"}))").await;
    let image = "const i = document.createElement('div'); i.innerHTML = \"<img src=x onerror=document.title='owned'>\"; document.body.append(i);";
    browser.eval(&format!("{{ {image} }}")).await;
    let blocked = "new Promise((done) => setTimeout(() => done(document.title), 200))";
    assert_eq!(browser.eval(blocked).await, "Troika fleet");
    let elsewhere = "fetch('http://127.0.0.1:9/').then(() => 'went', () => 'kept')";
    assert_eq!(browser.eval(elsewhere).await, "kept");
    browser.end().await;
}

#[tokio::test]
async fn a_fleet_in_the_state_that_fleets_are_in_is_kept_as_a_picture() {
    let (service, nobody) = (Service::new().await, Service::nobody().await);
    let world = World::new(&[&service, &nobody], "").await;
    let mut held = Vec::new();
    for (at, id) in [
        "WVWZZZ1JZXW000001",
        "WVWZZZ1JZXW000002",
        "WVWZZZ1JZXW000003",
        "WVWZZZ1JZXW000004",
        "WVWZZZ1JZXW000005",
        "WVWZZZ1JZXW000006",
    ]
    .into_iter()
    .enumerate()
    {
        let vehicle = world.vehicle(id);
        let parked = at == 5;
        if !parked {
            held.push(world.connect(&vehicle).await.expect("connected"));
        }
        let (link, tier, driver) = [
            ("up", "cloud", "attentive"),
            ("down", "on_vehicle", "attentive"),
            ("up", "cloud", "eyes_closed"),
            ("up", "cloud", "looking_away"),
            ("up", "vehicle", "attentive"),
            ("unknown", "none", "unknown"),
        ][at];
        let said = json!({"link": link, "rtt_ms": 40 + 61 * at, "tier": tier, "driver_state": driver,
                          "latency_ms": if at == 3 { 2900 } else { 610 + 45 * at }, "errors": u32::from(at == 1) * 2});
        report(&world, &vehicle, said).await;
        for _ in 0..at {
            assert_eq!(world.ask(&vehicle, question(STREAM)).await.status, 200);
        }
    }
    let mut browser = Browser::open(&format!("http://{}/", world.admin), 1360, 560).await;
    browser.until("document.querySelectorAll('#rows tr').length === 6").await;
    browser.until("document.getElementById('tiles').innerText.includes('fails: connect')").await;
    let sorted =
        "[...document.querySelectorAll('#rows .badge')].map((one) => one.className.slice(6)).join(' ')";
    browser.until(&format!("{sorted} === 'bad bad warn fine fine none'")).await;
    // Nothing is cut off: the page fits its window.
    assert_eq!(browser.eval("(([page, table]) => page.scrollWidth <= innerWidth && table.scrollWidth <= table.clientWidth)([document.documentElement, document.querySelector('.wide')])").await, true);
    browser.light("light").await;
    browser.screenshot(&artefacts().join("fleet-page.png")).await;
    let back = "getComputedStyle(document.body).backgroundColor";
    let light = browser.eval(back).await;
    browser.light("dark").await;
    assert_ne!(browser.eval(back).await, light);
    browser.screenshot(&artefacts().join("fleet-page-dark.png")).await;
    // What the colours say must be readable: WCAG 2.2's 4.5 to 1 for every badge, in both lights.
    let contrast = "[...document.querySelectorAll('.badge')].map((one) => {
        const light = (text) => text.match(/[0-9.]+/g).slice(0, 3).map((c) => c / 255)
            .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4).reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
        const style = getComputedStyle(one);
        const [a, b] = [light(style.color), light(style.backgroundColor)].sort((x, y) => y - x);
        return (a + 0.05) / (b + 0.05);
    }).every((ratio) => ratio >= 4.5)";
    for scheme in ["dark", "light"] {
        browser.light(scheme).await;
        assert_eq!(browser.eval(contrast).await, true, "{scheme}");
    }
    browser.end().await;
}
