"""The conversation as a value, and the room it leaves in the context."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smolctl.cli.chat.context_room import answer_room, fitted, shortened, tokens_per_letter
from smolctl.cli.chat.dialogue import Dialogue, Turn
from smolctl.engine.conversation import Message
from smolctl.engine.sampling import Sampling
from smolctl.errors import PromptTooLong


def of_turns(count: int, letters: int = 84, system: str | None = "Be brief.") -> Dialogue:
    """Turns whose two messages take 100 letters each, with what a template adds."""
    turns = tuple(Turn.of(f"{n:02}".ljust(letters, "q"), "a" * letters) for n in range(count))
    return Dialogue(system, turns)


class TestDialogue:
    def test_it_grows_by_answers_and_shrinks_by_undoing(self) -> None:
        empty = Dialogue("Be brief.")
        one = empty.answered("Italy?", "Rome.")
        two = one.answered("Sure?", "Yes.")
        assert [each.content for each in two.asking("Really?")] == [
            "Be brief.", "Italy?", "Rome.", "Sure?", "Yes.", "Really?",
        ]  # fmt: skip
        assert [each.role for each in two.messages] == [
            "system", "user", "assistant", "user", "assistant",
        ]  # fmt: skip
        assert two.undone() == one
        assert one.undone().undone() == two.cleared() == empty

    def test_what_is_forgotten_is_kept_but_not_sent(self) -> None:
        dialogue = of_turns(3, letters=2).forgetting(2)
        assert [each.content for each in dialogue.asking("?")] == ["Be brief.", "02", "aa", "?"]
        assert len(dialogue.messages) == 7
        assert dialogue.undone().sent_turns == ()
        assert dialogue.undone().answered("q", "a").sent_turns == (Turn.of("q", "a"),)
        assert dialogue.forgetting(9).forgotten == 3
        assert len(dialogue.remembering().sent_turns) == 3

    def test_messages_become_turns_with_their_tools_results(self) -> None:
        said = (
            Message("system", "s"), Message("user", "1"), Message("assistant", ""),
            Message("tool", "5"), Message("assistant", "five"), Message("user", "2"),
        )  # fmt: skip
        dialogue = Dialogue.of(said, Sampling())
        assert dialogue.system == "s"
        assert [(turn.question, turn.answer) for turn in dialogue.turns] == [
            ("1", "five"), ("2", ""),
        ]  # fmt: skip
        assert dialogue.messages == said

    def test_a_conversation_may_begin_with_the_model(self) -> None:
        said = (Message("assistant", "Hello!"), Message("user", "Hi"))
        assert Dialogue.of(said, Sampling()).messages == said
        assert Dialogue.of((), Sampling()) == Dialogue()

    @pytest.mark.parametrize("nothing", ["", None])
    def test_no_system_prompt_sends_none(self, nothing: str | None) -> None:
        dialogue = Dialogue("s").with_system(nothing)
        assert [each.role for each in dialogue.asking("?")] == ["user"]


class TestRoom:
    def test_is_a_quarter_of_the_context_or_what_max_tokens_allow(self) -> None:
        assert answer_room(400, None) == 100
        assert answer_room(131_072, None) == 1024
        assert answer_room(400, 20) == 20

    def test_nothing_is_forgotten_while_there_is_room(self) -> None:
        dialogue = of_turns(3)
        # 6 messages of 100 letters, the system prompt's 25 and the question's 17; a token each.
        assert fitted(dialogue, "?", 1.0, 642 + 213) is dialogue
        assert fitted(dialogue, "?", 1.0, 642 + 212) is not dialogue

    def test_the_oldest_go_until_there_is_room_for_two_answers(self) -> None:
        left = fitted(of_turns(10), "?", 1.0, 2000)
        assert left.forgotten == 6  # 842 of 1000 letters, where 5 would leave 1042
        assert [turn.question[:2] for turn in left.sent_turns] == ["06", "07", "08", "09"]
        assert left.system == "Be brief."

    def test_a_question_that_is_too_long_by_itself_forgets_all(self) -> None:
        assert fitted(of_turns(4), "?" * 5000, 1.0, 2000).sent_turns == ()

    def test_the_density_is_that_of_the_text_itself(self) -> None:
        messages = of_turns(1, system=None).asking("?" * 84)
        assert tokens_per_letter(messages, 75) == 0.25
        assert tokens_per_letter((), 10) == 10

    def test_a_refusal_with_numbers_forgets_what_they_say(self) -> None:
        dialogue = of_turns(10)
        error = PromptTooLong("", prompt_tokens=2042, context_size=2000)
        shorter = shortened(dialogue, "?", error)
        assert shorter is not None
        assert shorter.forgotten == 6

    def test_a_refusal_forgets_one_at_least(self) -> None:
        error = PromptTooLong("", prompt_tokens=10, context_size=2000)
        shorter = shortened(of_turns(2), "?", error)
        assert shorter is not None
        assert shorter.forgotten == 1

    def test_a_refusal_without_numbers_forgets_a_quarter_each_time(self) -> None:
        dialogue: Dialogue | None = of_turns(8)
        seen = []
        while dialogue is not None:
            seen.append(dialogue.forgotten)
            dialogue = shortened(dialogue, "?", PromptTooLong(""))
        assert seen == [0, 2, 3, 4, 5, 6, 7, 8]

    def test_max_tokens_leave_more_for_the_conversation(self) -> None:
        dialogue = of_turns(10)
        brief = replace(dialogue, sampling=Sampling(max_tokens=10))
        assert fitted(brief, "?", 1.0, 2053) is brief
        assert fitted(dialogue, "?", 1.0, 2053).forgotten > 0
