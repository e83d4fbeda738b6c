//! The caller's function for access tokens, which may take as long as it likes: in a thread of its own, so that no connection
//! waits for another one's token.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::shared::Shared;
use crate::options::{OauthToken, Options, TokenFn};
use crate::secret::Secret;

/// The caller may do in it what it likes, such as speak TLS.
const STACK: usize = 2 * 1024 * 1024;

/// The options of one connection: a function is asked in a thread, whose end wakes the mailer.
pub(super) fn for_connection(options: &Arc<Options>, shared: &Arc<Shared>) -> Arc<Options> {
    let Some(function) = options.oauthtoken.as_ref().and_then(OauthToken::function) else {
        return Arc::clone(options);
    };
    let ask = in_a_thread(Arc::clone(function), Arc::clone(shared));
    let mut options = Options::clone(options);
    options.oauthtoken = Some(OauthToken::Ask(ask));
    Arc::new(options)
}

/// How far the function is.
enum Question {
    Idle,
    Going,
    Done(Result<Option<Secret>, String>),
}

/// The function for one connection, which asks for one token at a time.
fn in_a_thread(function: TokenFn, shared: Arc<Shared>) -> TokenFn {
    let question = Arc::new(Mutex::new(Question::Idle));
    Arc::new(move |reason| {
        let mut known = lock(&question);
        match std::mem::replace(&mut *known, Question::Going) {
            Question::Done(Ok(None)) => {
                *known = Question::Idle;
                Err("the function has no token now, and a mailer does not ask again later".to_owned())
            }
            Question::Done(done) => {
                *known = Question::Idle;
                done
            }
            Question::Going => Ok(None),
            Question::Idle => {
                let (function, end) =
                    (Arc::clone(&function), End(Arc::clone(&question), Arc::clone(&shared)));
                let ask = move || {
                    let answer = function(reason);
                    *lock(&end.0) = Question::Done(answer);
                };
                let begun = thread::Builder::new().name("smtp-token".to_owned()).stack_size(STACK).spawn(ask);
                match begun {
                    Ok(_) => Ok(None),
                    Err(error) => Err(format!("no thread to ask for it in: {error}")),
                }
            }
        }
    })
}

fn lock(question: &Mutex<Question>) -> MutexGuard<'_, Question> {
    question.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Wakes the mailer when the function has returned, however it did.
struct End(Arc<Mutex<Question>>, Arc<Shared>);

impl Drop for End {
    fn drop(&mut self) {
        let mut known = lock(&self.0);
        if matches!(*known, Question::Going) {
            *known = Question::Done(Err("the thread that asked for it died".to_owned()));
        }
        drop(known);
        self.1.ring();
    }
}
