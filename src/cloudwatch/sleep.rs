//! The SDK's sleep on async-io's timer, since there is no tokio to sleep on.

use std::time::Duration;

use async_io::Timer;
use aws_smithy_async::rt::sleep::{AsyncSleep, Sleep};

/// Sleeps on the reactor that everything else here uses.
#[derive(Clone, Copy, Debug)]
pub struct TimerSleep;

impl AsyncSleep for TimerSleep {
    fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::new(async move {
            Timer::after(duration).await;
        })
    }
}
