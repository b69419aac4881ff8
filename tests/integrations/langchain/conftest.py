"""A chat model of LangChain whose LLM says what it is given to say."""

import pytest


@pytest.fixture
def dictated_chat():
    """Returns a `ChatFramesift` whose answers are `texts`, and the conversations it was shown."""
    pytest.importorskip("langchain_core")
    from framesift import Answer, Usage
    from langchain_framesift.chat_models import ChatFramesift

    usage = dict.fromkeys(Usage.model_fields, 0)
    usage |= {"finish_reason": "stop", "positions": "original"}

    class Stream:
        """The pieces of an answer, and then the answer."""

        def __init__(self, answer):
            self.answer = answer

        def __iter__(self):
            return iter(self.answer.text)

        def close(self):
            pass

    class Dictated:
        def __init__(self, texts):
            self.texts, self.shown = iter(texts), []

        def reply(self, messages, **options):
            self.shown.append(messages)
            return Answer(text=next(self.texts), usage=Usage(**usage))

        def stream(self, messages, **options):
            return Stream(self.reply(messages, **options))

    def make(*texts):
        dictated = Dictated(texts)

        class DictatedChat(ChatFramesift):
            def assistant(self, model):
                return dictated

        return DictatedChat(model="tiny"), dictated.shown

    return make
