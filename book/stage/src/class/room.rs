//! Who is in the room, and what they are asked: the class's state, with no word about how it is shown.
//!
//! A class begins when the instructor opens the console, or begins one anew there, and ends there too. It forgets
//! everything when it ends. All of it is bounded.
//!
//! Several stages can hold one class (see `shared`): each has a room of its own and does the same to it in the same
//! order. So what becomes of a room depends on nothing but the room and what is ordered; what is drawn by chance, a
//! token or a code, comes with the order. Only who is merely looking on is each stage's own affair.

use std::{
    collections::{BTreeMap, HashMap},
    time::Instant,
};

use serde::{Deserialize, Serialize};

use super::{key::random, name::Name};

/// How many people may have a name on the board.
const MEMBERS: usize = 300;
/// How many browsers without a name are kept in mind; the one that has been away longest is forgotten first.
const GUESTS: usize = 4_000;
/// How many TODOs a lab may have.
pub(crate) const TODOS: u8 = 32;
/// The labs there may be.
const LABS: std::ops::RangeInclusive<u8> = 1..=9;
/// The longest address to which a class is called, in bytes.
const PATH: usize = 300;

/// Why something that was asked for is not done: a sentence, and whose mistake it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// What was sent makes no sense.
    Bad(String),
    /// The class does not know who asks.
    Stranger(&'static str),
    /// It makes sense, and not now.
    Late(&'static str),
    /// There is no such thing.
    Nothing(&'static str),
    /// There is no room for more.
    Full(&'static str),
    /// Where the class is kept cannot be reached.
    Away(&'static str),
}

pub(crate) type Result<T> = std::result::Result<T, Trouble>;

/// The class.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Room {
    /// Tells this room's numbers from those of another.
    pub(crate) era: String,
    on: bool,
    joined: u64,
    /// By their token: a browser's cookie, or what `cargo lab join` keeps.
    members: HashMap<String, Member>,
    ballot: Option<Ballot>,
    call: Option<Call>,
    calls: u64,
    /// Browsers without a name, by their token, and when they were last seen by this stage.
    #[serde(skip)]
    guests: HashMap<String, Instant>,
}

/// Somebody with a name on the board: a browser, or whoever joined with `cargo lab`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Member {
    /// The how many-th to join. Says who is meant, where a name or a token must not.
    pub(crate) number: u64,
    pub(crate) name: Name,
    /// With this one's labs, on another machine, join as the same person.
    pub(crate) code: String,
    pub(crate) labs: BTreeMap<u8, Progress>,
}

/// How far somebody is in a lab: for each TODO whether it is done, as far as is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Progress(Vec<Option<bool>>);

impl Progress {
    /// The TODOs, the first one first.
    pub(crate) fn todos(&self) -> impl Iterator<Item = Option<bool>> {
        self.0.iter().copied()
    }

    /// How many are done.
    pub(crate) fn done(&self) -> usize {
        self.0.iter().filter(|todo| **todo == Some(true)).count()
    }

    /// How many there are.
    pub(crate) fn total(&self) -> usize {
        self.0.len()
    }

    /// Whether all are done.
    pub(crate) fn is_done(&self) -> bool {
        self.done() == self.total()
    }
}

/// What one grading said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Graded {
    pub(crate) lab: u8,
    pub(crate) total: u8,
    /// The TODOs that are done.
    pub(crate) done: Vec<u8>,
    /// The TODOs that were graded and are not.
    pub(crate) open: Vec<u8>,
}

impl Graded {
    fn check(&self) -> Result<()> {
        let bad = |what: String| Err(Trouble::Bad(what));
        if !LABS.contains(&self.lab) {
            return bad(format!("There is no lab {}.", self.lab));
        }
        if !(1..=TODOS).contains(&self.total) {
            return bad(format!("A lab has 1 to {TODOS} TODOs, not {}.", self.total));
        }
        let mut seen = [false; TODOS as usize + 1];
        for &todo in self.done.iter().chain(&self.open) {
            if !(1..=self.total).contains(&todo) {
                return bad(format!("There is no TODO {todo} among {}.", self.total));
            }
            if std::mem::replace(&mut seen[usize::from(todo)], true) {
                return bad(format!("TODO {todo} is told twice."));
            }
        }
        Ok(())
    }
}

/// Which question of the book is meant: by its page and its place in the outline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Asked {
    /// The page's place in the outline.
    pub(crate) page: usize,
    /// The question's place on the page.
    pub(crate) question: usize,
    /// How many answers it has.
    pub(crate) answers: usize,
}

/// A question that is put to the class.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Ballot {
    pub(crate) asked: Asked,
    pub(crate) stage: Counting,
    /// By the voter's token.
    votes: HashMap<String, usize>,
}

/// How much the class is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Counting {
    /// How many have voted.
    Open,
    /// How many for what; one may still change one's mind.
    Shown,
    /// Also what is right. Nobody votes any more.
    Revealed,
}

impl Ballot {
    /// The votes for each answer.
    pub(crate) fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.asked.answers];
        for &answer in self.votes.values() {
            if let Some(count) = counts.get_mut(answer) {
                *count += 1;
            }
        }
        counts
    }

    /// How many have voted.
    pub(crate) fn votes(&self) -> usize {
        self.votes.len()
    }
}

/// A page to which the instructor asks everyone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Call {
    /// The how many-th call; whoever has heard it need not hear it again.
    pub(crate) number: u64,
    /// The page: a path on this stage.
    pub(crate) path: String,
}

impl Room {
    /// A class that has not begun, with a name for its numbers.
    pub(crate) fn new(era: String) -> Self {
        Self { era, ..Self::default() }
    }

    pub(crate) fn is_on(&self) -> bool {
        self.on
    }

    /// Begins a class, unless one is on.
    pub(crate) fn begin(&mut self) -> bool {
        !std::mem::replace(&mut self.on, true)
    }

    /// Ends it and forgets it.
    pub(crate) fn end(&mut self) {
        // Numbers go on, so that nothing of an earlier class is taken for this one's. A token says nothing of anybody.
        let now = Instant::now();
        let mut guests = std::mem::take(&mut self.guests);
        guests.extend(self.members.drain().map(|(token, _)| (token, now)));
        *self = Self {
            era: std::mem::take(&mut self.era),
            joined: self.joined,
            calls: self.calls,
            guests,
            ..Self::default()
        };
    }

    /// Is `other` from here on, whose question must be one of a book that `has` it; whoever looks on stays.
    pub(crate) fn become_like(&mut self, other: Self, has: impl FnOnce(Asked) -> bool) {
        let guests = std::mem::take(&mut self.guests);
        let ballot = other.ballot.filter(|ballot| has(ballot.asked)).map(|mut ballot| {
            ballot.votes.retain(|_, answer| *answer < ballot.asked.answers);
            ballot
        });
        *self = Self { ballot, guests, ..other };
        self.guests.retain(|token, _| !self.members.contains_key(token));
    }

    /// Everyone with a name, in the order they came.
    pub(crate) fn members(&self) -> Vec<&Member> {
        let mut members: Vec<&Member> = self.members.values().collect();
        members.sort_by_key(|member| member.number);
        members
    }

    /// The member that this token belongs to.
    pub(crate) fn member(&self, token: &str) -> Option<&Member> {
        self.members.get(token)
    }

    /// The token of the member with this code.
    pub(crate) fn token_of(&self, code: &str) -> Result<String> {
        let found = self.members.iter().find(|(_, member)| member.code == code);
        found.map(|(token, _)| token.clone()).ok_or(Trouble::Nothing(
            "Nobody here has this code: it stands on your own page, /class/me, once you have a name there.",
        ))
    }

    pub(crate) fn ballot(&self) -> Option<&Ballot> {
        self.ballot.as_ref()
    }

    pub(crate) fn call(&self) -> Option<&Call> {
        self.call.as_ref()
    }

    fn needs_class(&self) -> Result<()> {
        if self.on {
            return Ok(());
        }
        Err(Trouble::Late("No class is on: it begins when the instructor opens the console."))
    }

    /// Notes that somebody is there, class or not; gives their token, and whether it is a new one, for who
    /// has none or one of another time.
    pub(crate) fn welcome(&mut self, token: Option<&str>) -> Result<(String, bool)> {
        if let Some(token) = token.filter(|token| self.knows(token)) {
            self.see(token);
            return Ok((token.to_owned(), false));
        }
        let token = random().map_err(|_| Trouble::Full("The stage can take nobody else now."))?;
        self.see(&token);
        Ok((token, true))
    }

    /// Whether somebody with this token is here.
    pub(crate) fn knows(&self, token: &str) -> bool {
        self.members.contains_key(token) || self.guests.contains_key(token)
    }

    /// Notes that whoever has this token is here.
    pub(crate) fn see(&mut self, token: &str) {
        if self.members.contains_key(token) {
            return;
        }
        self.guests.insert(token.to_owned(), Instant::now());
        if self.guests.len() > GUESTS {
            let oldest = self.guests.iter().min_by_key(|(_, seen)| **seen).map(|(token, _)| token.clone());
            // A vote that is cast stays.
            if let Some(oldest) = oldest {
                self.guests.remove(&oldest);
            }
        }
    }

    /// Puts a name on the board, or another one for who has one; gives it as it is there. With `code`, who has no
    /// name yet can join again elsewhere.
    pub(crate) fn join(&mut self, token: &str, name: Name, code: String) -> Result<Name> {
        self.needs_class()?;
        if !self.knows(token) {
            return Err(STRANGER);
        }
        let own = self.member(token).map(|member| member.number);
        let others: Vec<Name> = self
            .members()
            .into_iter()
            .filter(|member| Some(member.number) != own)
            .map(|member| member.name.clone())
            .collect();
        if own.is_none() && others.len() >= MEMBERS {
            return Err(Trouble::Full("The board is full: the instructor can remove names."));
        }
        let name = name.apart_from(others.iter());
        match self.members.get_mut(token) {
            Some(member) => member.name = name.clone(),
            None => {
                self.joined += 1;
                let member = Member { number: self.joined, name: name.clone(), code, labs: BTreeMap::new() };
                self.members.insert(token.to_owned(), member);
                self.guests.remove(token);
            }
        }
        Ok(name)
    }

    /// Takes one's name off the board.
    pub(crate) fn leave(&mut self, token: &str) -> Result<Name> {
        let member = self.members.remove(token).ok_or(STRANGER)?;
        self.see(token);
        Ok(member.name)
    }

    /// Takes a name off the board, for the instructor. Whoever bore it may choose another.
    pub(crate) fn remove(&mut self, number: u64) -> Result<Name> {
        let is_meant = |(token, member): (&String, &Member)| (member.number == number).then(|| token.clone());
        let token = self.members.iter().find_map(is_meant);
        let member = token.and_then(|token| self.members.remove(&token));
        member.map(|member| member.name).ok_or(Trouble::Nothing("That name is not on the board any more."))
    }

    /// Notes how far a member is.
    pub(crate) fn graded(&mut self, token: &str, graded: &Graded) -> Result<&Member> {
        graded.check()?;
        let member = self.members.get_mut(token).ok_or(STRANGER)?;
        let todos = &mut member.labs.entry(graded.lab).or_insert_with(|| Progress(Vec::new())).0;
        todos.resize(graded.total.into(), None);
        for (told, done) in [(&graded.done, true), (&graded.open, false)] {
            for &todo in told {
                todos[usize::from(todo) - 1] = Some(done);
            }
        }
        Ok(member)
    }

    /// Puts a question to the class, with no vote yet.
    pub(crate) fn ask(&mut self, asked: Asked) -> Result<()> {
        self.needs_class()?;
        self.ballot = Some(Ballot { asked, stage: Counting::Open, votes: HashMap::new() });
        Ok(())
    }

    /// Shows the class more of the votes, or less; what is revealed stays so.
    pub(crate) fn count(&mut self, stage: Counting) -> Result<&Ballot> {
        let ballot = self.ballot.as_mut().ok_or(Trouble::Late("No question is open."))?;
        if ballot.stage == Counting::Revealed && stage != Counting::Revealed {
            return Err(Trouble::Late("The answer is revealed: ask the question again for another vote."));
        }
        ballot.stage = stage;
        Ok(ballot)
    }

    /// Puts the question away.
    pub(crate) fn put_away(&mut self) {
        self.ballot = None;
    }

    /// Takes a vote, or another one in its place. Whether anything changed.
    pub(crate) fn vote(&mut self, token: &str, asked: Asked, answer: usize) -> Result<bool> {
        let known = self.knows(token);
        let ballot = self
            .ballot
            .as_mut()
            .filter(|ballot| ballot.asked == asked)
            .ok_or(Trouble::Late("This question is not open for votes now."))?;
        if !known {
            return Err(STRANGER);
        }
        if ballot.stage == Counting::Revealed {
            return Err(Trouble::Late("The answer is revealed: votes are closed."));
        }
        if answer >= asked.answers {
            return Err(Trouble::Bad(format!("This question has the answers 1 to {}.", asked.answers)));
        }
        // Those who went stay counted; there is an end to that.
        if ballot.votes.len() >= MEMBERS + GUESTS && !ballot.votes.contains_key(token) {
            return Err(Trouble::Full("There are too many votes already."));
        }
        Ok(ballot.votes.insert(token.to_owned(), answer) != Some(answer))
    }

    /// What this person voted for.
    pub(crate) fn vote_of(&self, token: &str) -> Option<usize> {
        self.ballot.as_ref()?.votes.get(token).copied()
    }

    /// Asks everyone to a page of this stage.
    pub(crate) fn call_to(&mut self, path: &str) -> Result<&Call> {
        self.needs_class()?;
        check_path(path)?;
        self.calls += 1;
        Ok(self.call.insert(Call { number: self.calls, path: path.to_owned() }))
    }

    /// Takes that back.
    pub(crate) fn call_off(&mut self) {
        self.call = None;
    }
}

pub(crate) const STRANGER: Trouble =
    Trouble::Stranger("The class does not know you, or does not any more: join it first.");

/// Forty random bits that one can type: no letter looks like a digit.
pub(crate) fn code() -> std::result::Result<String, getrandom::Error> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut random = [0; 8];
    getrandom::fill(&mut random)?;
    Ok(random.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect())
}

/// A path leads to this very stage: a browser that follows it leaves nowhere.
fn check_path(path: &str) -> Result<()> {
    if path.len() > PATH {
        return Err(Trouble::Bad(format!("An address has {PATH} bytes at most.")));
    }
    // What a browser reads as another host: `//host`, and `/\host`.
    let is_here = path.starts_with('/') && !path[1..].starts_with(['/', '\\']);
    if !is_here || path.contains(|c: char| c.is_control() || c == '\\') {
        return Err(Trouble::Bad(
            "A page of this stage is meant: its address begins with one `/`, as in /en/03-server-sent-events.html#resume."
                .to_owned(),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUESTION: Asked = Asked { page: 3, question: 0, answers: 3 };

    fn on() -> Room {
        let mut room = Room::default();
        assert!(room.begin());
        room
    }

    fn guest(room: &mut Room) -> String {
        room.welcome(None).unwrap().0
    }

    fn member(room: &mut Room, name: &str) -> String {
        let token = guest(room);
        join(room, &token, name).unwrap();
        token
    }

    fn join(room: &mut Room, token: &str, name: &str) -> Result<Name> {
        room.join(token, Name::read(name).unwrap(), code().unwrap())
    }

    fn names(room: &Room) -> Vec<String> {
        room.members().iter().map(|member| member.name.to_string()).collect()
    }

    #[test]
    fn nobody_joins_before_the_class_or_after_it() {
        let mut room = Room::default();
        let early = guest(&mut room);
        assert!(matches!(join(&mut room, &early, "Sari"), Err(Trouble::Late(_))));
        room.begin();
        let token = member(&mut room, "Sari");
        room.end();
        assert!(room.members().is_empty());
        assert!(matches!(join(&mut room, &token, "Sari"), Err(Trouble::Late(_))));
        room.begin();
        assert_eq!(
            room.graded(&token, &Graded { lab: 3, total: 1, done: vec![1], open: vec![] }),
            Err(STRANGER)
        );
    }

    #[test]
    fn names_are_in_the_order_of_coming_and_told_apart() {
        let mut room = on();
        let first = member(&mut room, "Sari");
        member(&mut room, "Budi");
        member(&mut room, "sari");
        assert_eq!(names(&room), ["Sari", "Budi", "sari 2"]);
        assert_eq!(join(&mut room, &first, "Sari").unwrap().as_str(), "Sari", "one's own name is free");
        room.remove(2).unwrap();
        assert_eq!(room.remove(2), Err(Trouble::Nothing("That name is not on the board any more.")));
        assert_eq!(names(&room), ["Sari", "sari 2"]);
    }

    #[test]
    fn a_code_stands_for_one_member_as_long_as_there_is_one() {
        let mut room = on();
        let token = member(&mut room, "Sari");
        let code = room.member(&token).unwrap().code.clone();
        assert_eq!(code.len(), 8);
        assert_eq!(room.token_of(&code).as_ref(), Ok(&token));
        for wrong in ["", "0", &code[1..]] {
            assert!(matches!(room.token_of(wrong), Err(Trouble::Nothing(_))), "{wrong}");
        }
        room.leave(&token).unwrap();
        assert!(room.token_of(&code).is_err());
    }

    #[test]
    fn a_board_has_an_end() {
        let mut room = on();
        for number in 0..MEMBERS {
            member(&mut room, &format!("Student {number}"));
        }
        let token = guest(&mut room);
        let refused = join(&mut room, &token, "One more");
        assert!(matches!(refused, Err(Trouble::Full(_))), "{refused:?}");
        assert_eq!(room.members().len(), MEMBERS);
        for _ in 0..GUESTS + 10 {
            guest(&mut room);
        }
        assert_eq!(room.guests.len(), GUESTS);
        assert_eq!(room.members().len(), MEMBERS, "whoever has a name is not forgotten for a guest");
    }

    #[test]
    fn progress_is_put_together_from_what_was_graded() {
        let mut room = on();
        let token = member(&mut room, "Sari");
        let graded =
            |done: &[u8], open: &[u8]| Graded { lab: 3, total: 4, done: done.into(), open: open.into() };
        room.graded(&token, &graded(&[1, 2], &[3])).unwrap();
        let sari = room.graded(&token, &graded(&[3], &[1])).unwrap();
        let todos: Vec<_> = sari.labs[&3].todos().collect();
        assert_eq!(todos, [Some(false), Some(true), Some(true), None]);
        assert_eq!((sari.labs[&3].done(), sari.labs[&3].total()), (2, 4));
    }

    #[test]
    fn a_report_that_makes_no_sense_changes_nothing() {
        let mut room = on();
        let token = member(&mut room, "Sari");
        let right = Graded { lab: 3, total: 4, done: vec![1], open: vec![2] };
        for wrong in [
            Graded { lab: 0, ..right.clone() },
            Graded { lab: 10, ..right.clone() },
            Graded { total: 0, ..right.clone() },
            Graded { total: TODOS + 1, ..right.clone() },
            Graded { done: vec![0], ..right.clone() },
            Graded { done: vec![5], ..right.clone() },
            Graded { done: vec![1, 1], ..right.clone() },
            Graded { open: vec![1], ..right.clone() },
        ] {
            assert!(matches!(room.graded(&token, &wrong), Err(Trouble::Bad(_))), "{wrong:?}");
        }
        assert!(room.member(&token).unwrap().labs.is_empty());
        assert_eq!(room.graded("another's", &right), Err(STRANGER));
        let nameless = guest(&mut room);
        assert_eq!(room.graded(&nameless, &right), Err(STRANGER));
    }

    #[test]
    fn everyone_has_one_vote_and_may_change_it_until_the_answer_is_told() {
        let mut room = on();
        let (one, two) = (guest(&mut room), guest(&mut room));
        assert!(matches!(room.vote(&one, QUESTION, 0), Err(Trouble::Late(_))), "nothing is asked yet");
        room.ask(QUESTION).unwrap();
        assert_eq!(room.vote(&one, QUESTION, 0), Ok(true));
        assert_eq!(room.vote(&one, QUESTION, 0), Ok(false));
        assert_eq!(room.vote(&one, QUESTION, 2), Ok(true));
        assert_eq!(room.vote(&two, QUESTION, 2), Ok(true));
        assert_eq!(room.ballot().unwrap().counts(), [0, 0, 2]);
        room.count(Counting::Shown).unwrap();
        assert_eq!(room.vote(&two, QUESTION, 1), Ok(true));
        room.count(Counting::Revealed).unwrap();
        assert!(matches!(room.vote(&two, QUESTION, 2), Err(Trouble::Late(_))));
        assert!(matches!(room.count(Counting::Open), Err(Trouble::Late(_))), "what is told stays told");
        assert_eq!(room.ballot().unwrap().counts(), [0, 1, 1]);
        assert_eq!(room.vote_of(&two), Some(1));
    }

    #[test]
    fn votes_for_what_is_not_asked_are_refused() {
        let mut room = on();
        let token = guest(&mut room);
        room.ask(QUESTION).unwrap();
        assert!(matches!(room.vote(&token, QUESTION, 3), Err(Trouble::Bad(_))));
        let other = Asked { question: 1, ..QUESTION };
        assert!(matches!(room.vote(&token, other, 0), Err(Trouble::Late(_))));
        assert_eq!(room.vote("a stranger", QUESTION, 0), Err(STRANGER));
        assert_eq!(room.ballot().unwrap().votes(), 0);
    }

    #[test]
    fn a_room_that_travelled_is_the_same_and_whoever_looks_on_stays() {
        let mut room = on();
        let (sari, voter) = (member(&mut room, "Sari"), guest(&mut room));
        room.ask(QUESTION).unwrap();
        room.vote(&voter, QUESTION, 2).unwrap();
        let travelled: Room = serde_json::from_str(&serde_json::to_string(&room).unwrap()).unwrap();
        let mut other = Room::default();
        let onlooker = guest(&mut other);
        other.become_like(travelled.clone(), |asked| asked == QUESTION);
        assert_eq!(other.members(), room.members());
        assert_eq!(other.ballot().unwrap().counts(), [0, 0, 1]);
        assert!(other.knows(&onlooker) && other.knows(&sari) && other.is_on());
        other.become_like(travelled, |_| false);
        assert!(other.ballot().is_none(), "a question of another book cannot be shown");
    }

    #[test]
    fn a_class_is_called_to_this_stage_only() {
        let mut room = on();
        for elsewhere in [
            "",
            "en/",
            "//evil.example/",
            "/\\evil.example",
            "https://evil.example",
            "/a\nb",
            "/en\\x",
            &format!("/{}", "x".repeat(PATH)),
        ] {
            assert!(matches!(room.call_to(elsewhere), Err(Trouble::Bad(_))), "{elsewhere}");
        }
        assert_eq!(room.call_to("/en/").unwrap().number, 1);
        assert_eq!(room.call_to("/en/#cost").unwrap().number, 2);
        room.call_off();
        assert_eq!(room.call(), None);
    }
}
