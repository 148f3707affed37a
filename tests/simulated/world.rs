//! The world around one sidecar, simulated, and its passing: whatever can run
//! runs, and when nothing can, time moves on. One thread and no chance: a seed
//! plays the same each time.

use std::{
    cell::RefCell,
    pin::pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Instant,
};

use aws_smithy_async::{rt::sleep::SharedAsyncSleep, time::SharedTimeSource};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use esp::{
    endpoint::{EndpointError, EndpointUri, Resource},
    settings::Settings,
    sidecar::world::{Endpoint, World},
    time::Now,
};
use smol::LocalExecutor;

use super::{
    aws::Aws,
    clock::{Clock, SimulatedTimer},
    kernel::{KernelScript, SimulatedKernel},
    task::Task,
};

/// For the sidecar.
#[derive(Clone)]
pub(crate) struct SimulatedWorld {
    pub(crate) clock: Clock,
    pub(crate) task: Rc<RefCell<Task>>,
    pub(crate) aws: Aws,
    pub(crate) seed: u64,
    pub(crate) kernel: Option<KernelScript>,
}

impl World for SimulatedWorld {
    type Timer = SimulatedTimer;
    type Endpoint = SimulatedEndpoint;
    type Kernel = SimulatedKernel;

    fn now(&self) -> Now {
        self.clock.now()
    }

    fn timer(&self) -> SimulatedTimer {
        SimulatedTimer(self.clock.clone())
    }

    fn endpoint(&self, _: EndpointUri) -> SimulatedEndpoint {
        SimulatedEndpoint {
            clock: self.clock.clone(),
            task: Rc::clone(&self.task),
            body: Vec::new(),
        }
    }

    fn kernel(&self) -> SimulatedKernel {
        SimulatedKernel {
            clock: self.clock.clone(),
            task: Rc::clone(&self.task),
            script: self.kernel,
            docker_ids: Vec::new(),
        }
    }

    fn http_client(&self, _: &Settings) -> Result<SharedHttpClient, String> {
        Ok(SharedHttpClient::new(self.aws.clone()))
    }

    fn sleep(&self) -> SharedAsyncSleep {
        SharedAsyncSleep::new(self.clock.clone())
    }

    fn time_source(&self) -> SharedTimeSource {
        SharedTimeSource::new(self.clock.clone())
    }

    fn seed(&self) -> u64 {
        self.seed
    }
}

/// The metadata endpoint's client: HTTP is left out.
pub(crate) struct SimulatedEndpoint {
    clock: Clock,
    task: Rc<RefCell<Task>>,
    body: Vec<u8>,
}

impl Endpoint for SimulatedEndpoint {
    async fn get(&mut self, resource: Resource, _: Instant) -> Result<&mut [u8], EndpointError> {
        let answer = self.task.borrow_mut().on_request(resource);
        let _asking = Asking(&self.task);
        if !answer.after.is_zero() {
            self.clock.pause(answer.after).await;
        }
        self.task.borrow_mut().deliver(resource, answer.outcome, &mut self.body)?;
        Ok(&mut self.body)
    }
}

/// Answered or given up: the endpoint notes when.
struct Asking<'a>(&'a RefCell<Task>);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.borrow_mut().on_request_over();
    }
}

/// Whether the future at the top wants to be polled.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Plays until `future` is done. `look` sees the moment before it begins, and
/// every one at which nothing can run any more.
pub(crate) fn play<T>(
    executor: &LocalExecutor<'_>,
    clock: &Clock,
    future: impl Future<Output = T>,
    mut look: impl FnMut(),
) -> T {
    let woken = Arc::new(Woken(AtomicBool::new(true)));
    let waker = Waker::from(Arc::clone(&woken));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    look();
    loop {
        while executor.try_tick() {}
        if woken.0.swap(false, Ordering::Relaxed) {
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return output;
            }
            continue;
        }
        look();
        assert!(clock.move_on(), "nothing runs, and nothing waits for a time");
    }
}
