"""Words by which people leave and come back by SMS, in the languages that networks ask for."""

import re
import unicodedata

_NO_SIGN = re.compile(r"[\W_]+")


def _words(text: str) -> frozenset[str]:
    return frozenset(map(_plain, text.split()))


def _plain(word: str) -> str:
    """In small letters, without accents and the marks in it."""
    parts = unicodedata.normalize("NFKD", word)
    bare = "".join(sign for sign in parts if not unicodedata.combining(sign))
    return _NO_SIGN.sub("", unicodedata.normalize("NFKC", bare).casefold())


# The whole text, or its first word: whoever begins with one of these wants no more.
_STOP = _words("""
    stop stopall unsubscribe optout stopp arret arretez desabonner abmelden baja parar sair
    cancelar annulla disiscrivi disiscriviti afmelden avsluta afmeld odhlasit wypisz leiratkozas
    dezabonare отписка стоп 退订 退訂 取消訂閱 取消订阅 停止 配信停止 配信解除 해지 수신거부
    إلغاء توقف""")
# Only when nothing else is said: as a first word they may begin any sentence.
_ALONE = _words("end quit cancel revoke remove td t td退订 取消 ende fin")
_START = _words("""
    start unstop subscribe resume reprise reprendre inicio anmelden 订阅 訂閱 再開 시작""")


def meaning(text: str) -> str:
    """What a text asks for: stop, start, or nothing that is ours to do."""
    words = [word for word in map(_plain, text[:2_000].split()) if word]
    if not words:
        return ""
    whole = "".join(words)
    if words[0] in _STOP or whole in _STOP or whole in _ALONE:
        return "stop"
    return "start" if whole in _START else ""
