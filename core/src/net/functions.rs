//! The caller's functions for logins, access tokens and mechanisms, which may take as long as they like: in a thread of their
//! own, so that whatever drives many connections waits for none of them. A [`Waker`] tells it that there is an answer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use super::inside;
#[cfg(feature = "tokio")]
use crate::commit::Commit;
use crate::options::{CustomExchange, CustomMechanism, CustomStep, LoginFacts, OauthToken, Options, TokenFn};

/// The caller may do in it what it likes, such as speak TLS.
const STACK: usize = 2 * 1024 * 1024;

/// The options of one connection: what a login asks for is asked in a thread, whose end wakes the driver.
pub(super) fn logins_in_threads(options: &Arc<Options>, waker: &Waker) -> Arc<Options> {
    let function = options.oauthtoken.as_ref().and_then(OauthToken::function);
    if function.is_none() && options.mechanisms.is_empty() {
        return Arc::clone(options);
    }
    let mut own = Options::clone(options);
    if let Some(function) = function {
        own.oauthtoken = Some(OauthToken::Ask(in_a_thread(Arc::clone(function), waker)));
    }
    for mechanism in &mut own.mechanisms {
        *mechanism = Arc::new(Threaded { mechanism: Arc::clone(mechanism), waker: waker.clone() });
    }
    Arc::new(own)
}

/// The function for one connection, which asks for one token at a time.
fn in_a_thread(function: TokenFn, waker: &Waker) -> TokenFn {
    let question = Question::new("smtp-login", waker);
    Arc::new(move |reason| {
        let function = Arc::clone(&function);
        match question.ask(move || function(reason)) {
            Poll::Pending => Ok(None),
            Poll::Ready(Ok(Ok(None))) => {
                Err("the function has no token now, and is not asked again later".to_owned())
            }
            Poll::Ready(Ok(answer)) => answer,
            Poll::Ready(Err(why)) => Err(why),
        }
    })
}

/// A function of option `commit` that is asked in a thread, for one conversation.
#[cfg(feature = "tokio")]
pub(super) fn commit_in_a_thread(function: &Commit, waker: &Waker) -> Commit {
    let (function, question) = (function.clone(), Question::new("smtp-commit", waker));
    Commit::polled(move |ready| {
        loop {
            let (function, asked) = (function.clone(), ready.to_vec());
            match question.ask(move || (function.ask(&asked), asked)) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok((answer, asked))) if asked == ready => return answer,
                // Others, which ended before it was answered.
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(why)) => return Poll::Ready(Err(why)),
            }
        }
    })
}

/// A mechanism whose logins are in threads.
struct Threaded {
    mechanism: Arc<dyn CustomMechanism>,
    waker: Waker,
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
        let question = Question::new("smtp-login", &self.waker);
        Box::new(move |challenge: Option<&[u8]>| {
            let (exchange, challenge) = (Arc::clone(&exchange), challenge.map(<[u8]>::to_vec));
            let step =
                move || -> Poll<Result<CustomStep, String>> { lock(&exchange).step(challenge.as_deref()) };
            question.ask(step).map(|answer| match answer {
                Ok(Poll::Pending) => {
                    Err("the mechanism has no answer now, and is not asked again later".to_owned())
                }
                Ok(Poll::Ready(answer)) => answer,
                Err(why) => Err(why),
            })
        })
    }
}

/// What one connection asks, one thing at a time, in threads of this name.
struct Question<T> {
    state: Arc<Mutex<QuestionState<T>>>,
    name: &'static str,
    waker: Waker,
}

/// How far it is; an error says why nobody could be asked.
enum QuestionState<T> {
    Idle,
    Going,
    Done(Result<T, String>),
}

impl<T: Send + 'static> Question<T> {
    fn new(name: &'static str, waker: &Waker) -> Self {
        Self { state: Arc::new(Mutex::new(QuestionState::Idle)), name, waker: waker.clone() }
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
                let end = End(Arc::clone(&self.state), self.waker.clone());
                let ask = move || {
                    let answer = function();
                    *lock(&end.0) = QuestionState::Done(Ok(answer));
                };
                match inside::begin(self.name, STACK, ask) {
                    Ok(()) => Poll::Pending,
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

/// Wakes the driver when the function has returned, however it did.
struct End<T>(Arc<Mutex<QuestionState<T>>>, Waker);

impl<T> Drop for End<T> {
    fn drop(&mut self) {
        let mut state = lock(&self.0);
        if matches!(*state, QuestionState::Going) {
            *state = QuestionState::Done(Err("the thread that asked for it died".to_owned()));
        }
        drop(state);
        self.1.wake_by_ref();
    }
}
