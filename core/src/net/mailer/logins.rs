//! The caller's functions for logins, access tokens and mechanisms, which may take as long as they like: in a thread of their
//! own, so that no connection waits for another one's login.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::thread;

use super::shared::Shared;
use crate::options::{CustomExchange, CustomMechanism, CustomStep, LoginFacts, OauthToken, Options, TokenFn};

/// The caller may do in it what it likes, such as speak TLS.
const STACK: usize = 2 * 1024 * 1024;

/// The options of one connection: a function is asked in a thread, whose end wakes the mailer.
pub(super) fn for_connection(options: &Arc<Options>, shared: &Arc<Shared>) -> Arc<Options> {
    let function = options.oauthtoken.as_ref().and_then(OauthToken::function);
    if function.is_none() && options.mechanisms.is_empty() {
        return Arc::clone(options);
    }
    let mut own = Options::clone(options);
    if let Some(function) = function {
        own.oauthtoken = Some(OauthToken::Ask(in_a_thread(Arc::clone(function), shared)));
    }
    for mechanism in &mut own.mechanisms {
        *mechanism = Arc::new(Threaded { mechanism: Arc::clone(mechanism), shared: Arc::clone(shared) });
    }
    Arc::new(own)
}

/// The function for one connection, which asks for one token at a time.
fn in_a_thread(function: TokenFn, shared: &Arc<Shared>) -> TokenFn {
    let question = Question::new(shared);
    Arc::new(move |reason| {
        let function = Arc::clone(&function);
        match question.ask(move || function(reason)) {
            Poll::Pending => Ok(None),
            Poll::Ready(Ok(Ok(None))) => {
                Err("the function has no token now, and a mailer does not ask again later".to_owned())
            }
            Poll::Ready(Ok(answer)) => answer,
            Poll::Ready(Err(why)) => Err(why),
        }
    })
}

/// A mechanism whose logins are in threads.
struct Threaded {
    mechanism: Arc<dyn CustomMechanism>,
    shared: Arc<Shared>,
}

impl CustomMechanism for Threaded {
    fn name(&self) -> &str {
        self.mechanism.name()
    }

    fn reveals_secret(&self) -> bool {
        self.mechanism.reveals_secret()
    }

    fn begin(&self, login: &LoginFacts<'_>) -> Box<dyn CustomExchange> {
        let exchange = Arc::new(Mutex::new(self.mechanism.begin(login)));
        let question = Question::new(&self.shared);
        Box::new(move |challenge: Option<&[u8]>| {
            let (exchange, challenge) = (Arc::clone(&exchange), challenge.map(<[u8]>::to_vec));
            let step =
                move || -> Poll<Result<CustomStep, String>> { lock(&exchange).step(challenge.as_deref()) };
            question.ask(step).map(|answer| match answer {
                Ok(Poll::Pending) => {
                    Err("the mechanism has no answer now, and a mailer does not ask again later".to_owned())
                }
                Ok(Poll::Ready(answer)) => answer,
                Err(why) => Err(why),
            })
        })
    }
}

/// What one connection asks, one thing at a time.
struct Question<T> {
    state: Arc<Mutex<QuestionState<T>>>,
    shared: Arc<Shared>,
}

/// How far it is; an error says why nobody could be asked.
enum QuestionState<T> {
    Idle,
    Going,
    Done(Result<T, String>),
}

impl<T: Send + 'static> Question<T> {
    fn new(shared: &Arc<Shared>) -> Self {
        Self { state: Arc::new(Mutex::new(QuestionState::Idle)), shared: Arc::clone(shared) }
    }

    /// Asks in a thread, and gives the answer when it is asked for again.
    fn ask(&self, function: impl FnOnce() -> T + Send + 'static) -> Poll<Result<T, String>> {
        let mut state = lock(&self.state);
        match std::mem::replace(&mut *state, QuestionState::Going) {
            QuestionState::Done(done) => {
                *state = QuestionState::Idle;
                Poll::Ready(done)
            }
            QuestionState::Going => Poll::Pending,
            QuestionState::Idle => {
                drop(state); // where no thread begins, the end comes at once
                let end = End(Arc::clone(&self.state), Arc::clone(&self.shared));
                let ask = move || {
                    let answer = function();
                    *lock(&end.0) = QuestionState::Done(Ok(answer));
                };
                match thread::Builder::new().name("smtp-login".to_owned()).stack_size(STACK).spawn(ask) {
                    Ok(_) => Poll::Pending,
                    Err(error) => {
                        *lock(&self.state) = QuestionState::Idle;
                        Poll::Ready(Err(format!("no thread to ask for it in: {error}")))
                    }
                }
            }
        }
    }
}

fn lock<T>(place: &Mutex<T>) -> MutexGuard<'_, T> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Wakes the mailer when the function has returned, however it did.
struct End<T>(Arc<Mutex<QuestionState<T>>>, Arc<Shared>);

impl<T> Drop for End<T> {
    fn drop(&mut self) {
        let mut state = lock(&self.0);
        if matches!(*state, QuestionState::Going) {
            *state = QuestionState::Done(Err("the thread that asked for it died".to_owned()));
        }
        drop(state);
        self.1.ring();
    }
}
