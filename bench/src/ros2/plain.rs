//! r2r's end, as any r2r program is written.

use std::time::Duration;

use futures::StreamExt as _;
use r2r::{QosProfile, sensor_msgs::msg::Image};

use super::{
    Role,
    ours::{Notes, TOPIC, serve, talk},
};

/// Runs an end.
pub fn run(role: Role) -> anyhow::Result<()> {
    let context = r2r::Context::create()?;
    let name = if role == Role::Talk { "talker" } else { "listener" };
    let mut node = r2r::Node::create(context, name, "")?;
    let qos = QosProfile::default().reliable().keep_last(100);
    if role == Role::Listen {
        let notes = Notes::default();
        let heard = notes.clone();
        let mut images = node.subscribe::<Image>(TOPIC, qos)?;
        // The executor on a thread of its own, the stream on another, as with the crates that r2r's examples use.
        std::thread::spawn(move || {
            futures::executor::block_on(async move {
                while let Some(image) = images.next().await {
                    heard.take(image.header.stamp.sec, image.header.stamp.nanosec);
                }
            });
        });
        std::thread::spawn(move || {
            loop {
                node.spin_once(Duration::from_millis(100));
            }
        });
        return serve(|order| Ok(notes.answer(order)));
    }
    let publisher = node.create_publisher::<Image>(TOPIC, qos)?;
    serve(|order| {
        talk(order, |sent, bytes| {
            let mut image = Image::default();
            image.header.stamp.sec = (sent / 1_000_000_000) as i32;
            image.header.stamp.nanosec = (sent % 1_000_000_000) as u32;
            (image.height, image.width, image.step) = (1, bytes as u32, bytes as u32);
            image.encoding = "mono8".to_owned();
            image.data = vec![0x5A; bytes];
            Ok(publisher.publish(&image)?)
        })
    })
}
