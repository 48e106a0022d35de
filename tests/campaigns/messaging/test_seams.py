"""A mail is made of pieces, of which the long ones are the same for everybody."""

from campaigns.messaging.rendering import Compiled
from tests.campaigns.messaging.test_grammar import show
from tests.campaigns.messaging.test_markup import ADDRESSES, SIGNER


def test_the_pieces_of_a_mail_are_its_html_and_spaces_are_trimmed_as_ever():
    words = "the same words in every mail, and quite a lot of them"
    source = (
        f"<p>{words} 1</p>  {{%- for p in products -%}}  {words} 2 {{{{ p.name }}}} {words} 2\n"
        f"{{%- endfor %}}\n {words} 3 {{{{- first_name }}}}.<p> {words} 4"
    )
    values = {"first_name": "Ada", "products": [{"name": "Cup"}, {"name": "Pot"}]}
    mail = Compiled("s", source, "", SIGNER).render({**values, **ADDRESSES})
    assert "".join(mail.pieces) == mail.html
    assert mail.html.rpartition("<img")[0] == show(source, **values)
    assert mail.pieces.count(f"{words} 2") == 4
