"""An image's words as strings, with those kept that are said again and again."""

FREQUENT = 8  # states that end in a word from which on it is kept


class Words(dict[int, str]):
    """Words by token (1 to V), made from the image's bytes when asked for.

    Kept are those that FREQUENT states or more end in: in chat a twelfth of all words, but seven of eight that are
    said. Kept as strings they take 5 % of the image's size.
    """

    def __init__(self, text: memoryview, ends: memoryview, token_states: memoryview) -> None:
        super().__init__()
        self._text, self._ends, self._token_states = text, ends, token_states

    def __missing__(self, token: int) -> str:
        ends, first = self._ends, self._token_states
        word = str(self._text[ends[token - 1] : ends[token]], "utf-8")
        if first[token + 1] - first[token] >= FREQUENT:
            self[token] = word
        return word
