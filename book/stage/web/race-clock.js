// What the stage's clock says, as far as this page can know: from questions that the stage answers with its time.

/** The stage's time, estimated by the quickest of several round trips. */
export class Clock {
  /** How many answers were heard. */
  answers = 0;
  /** The shortest way there and back, in milliseconds. */
  trip = Infinity;
  #ahead = 0;

  /**
   * The stage's time lies between the question and the answer: in the middle, give or take half of the way.
   *
   * @param {number} asked this page's clock when it asked
   * @param {number} heard this page's clock when it heard the answer
   * @param {number} said the stage's clock, as the answer has it
   */
  hears(asked, heard, said) {
    this.answers += 1;
    if (heard - asked >= this.trip) return;
    this.trip = heard - asked;
    this.#ahead = said - (asked + heard) / 2;
  }

  /** The stage's time at a time of this page's. @param {number} here */
  at(here) {
    return here + this.#ahead;
  }

  /** By how much that may be wrong, either way: milliseconds. */
  get uncertainty() {
    return this.trip / 2;
  }
}
