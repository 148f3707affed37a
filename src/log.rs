//! Where log lines go and what they look like. What is said, and when, is in
//! `report`.

use tracing_subscriber::{
    Layer as _,
    filter::{LevelFilter, Targets},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use crate::settings::{LogFormat, LogLevel};

/// Sends the process's log to stderr from here on.
///
/// Other crates say no more than errors, whatever the level: their finest logs
/// would print requests with their session tokens, and their warnings come with
/// every try and say again what our own line says once a minute.
pub fn init(level: LogLevel, format: LogFormat) {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let targets = Targets::new().with_target("esp", level).with_default(LevelFilter::ERROR);
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
    let layer = match format {
        LogFormat::Json => {
            layer.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
        }
        LogFormat::Text => layer.with_ansi(false).boxed(),
    };
    // A second call, in a program that embeds the library, changes nothing.
    let _ = tracing_subscriber::registry().with(layer.with_filter(targets)).try_init();
}
