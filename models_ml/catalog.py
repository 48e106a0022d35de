"""The models we train, one row each. Estimators are named by path: reading this loads nothing."""

from dataclasses import dataclass, field
from typing import Any

from django.utils.functional import Promise
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Entry:
    """A model: what it is called, what fits it, what is tried, what it must beat, where it runs.

    `estimator` and `settings` are dotted paths (the class and its frozen parameters); `choices` are
    the parameters tried, the best of which on the validation window is taken; `gate` is the name
    whose figure on the same people must be beaten, "" for a baseline that is always published.
    `members` are the names of entries before it that a blend is made of; `holds` is a file without
    which a stored folder is of an earlier release and cannot be read; `reads` names what it is
    fitted with beside purchases (see `interactions.facts`); `reader` is the dotted path of what
    reads a stored folder, where that is not the class itself; `ranks` names the blend whose
    candidates it puts in order.
    """

    name: str
    engine: str
    title: str | Promise
    about: str | Promise
    estimator: str
    settings: str
    choices: tuple[dict[str, Any], ...] = field(default=({},))
    metric: str = "ndcg@10"
    gate: str = "next_product_popular"
    by_epochs: bool = False
    members: tuple[str, ...] = ()
    queue: str = "train"
    holds: str = ""
    reads: tuple[str, ...] = ()
    reader: str = ""
    ranks: str = ""

    def build(self, params: dict[str, Any]) -> Any:
        """A fresh estimator with these parameters."""
        return import_string(self.estimator)(import_string(self.settings)(**params))

    def read(self) -> Any:
        """What reads a stored folder of this model."""
        return import_string(self.reader) if self.reader else import_string(self.estimator).load


SEQUENTIAL = "models_ml.algorithms.recommenders.sequential"
# A shop has few people and large baskets: small batches, few epochs, few places asked. With twice
# the batch one seed in three ended no better than popularity; with this one none did.
SHOP: dict[str, Any] = {
    "length": 64,
    "batch": 32,
    "learning_rate": 1e-3,
    "weight_decay": 0.05,
    "most_asked": 1024,
    "epochs": 6,
    "patience": 3,
}

CATALOG = (
    Entry(
        name="next_product_popular",
        engine="popular",
        title=_("Popularity"),
        about=_("What most people bought lately: one list for everyone, less what they own."),
        estimator="models_ml.algorithms.recommenders.popular.Popular",
        settings="models_ml.algorithms.recommenders.popular.Params",
        choices=({"days": 7}, {"days": 14}, {"days": 30}, {"days": 90}, {"days": 0}),
        gate="",
    ),
    Entry(
        name="next_product_als",
        engine="als",
        title=_("ALS"),
        about=_(
            "Matrix factorisation: people and products become short vectors, and what lies near a "
            "person is likely next."
        ),
        estimator="models_ml.algorithms.recommenders.als.ALS",
        settings="models_ml.algorithms.recommenders.als.Params",
        choices=({"half_life_days": 20.0}, {"half_life_days": 60.0}, {"half_life_days": 0.0}),
    ),
    Entry(
        name="next_product_markov",
        engine="markov",
        title=_("What comes next"),
        about=_(
            "A Markov chain: what others bought in their next orders after what a person bought "
            "last."
        ),
        estimator="models_ml.algorithms.recommenders.markov.Markov",
        settings="models_ml.algorithms.recommenders.markov.Params",
        choices=({"steps": 1, "smooth": 20.0},),
    ),
    Entry(
        name="next_product_itemitem",
        engine="itemitem",
        title=_("Bought together"),
        about=_(
            "Products that share orders more often than chance would bring together with what a "
            "person bought."
        ),
        estimator="models_ml.algorithms.recommenders.itemitem.ItemItem",
        settings="models_ml.algorithms.recommenders.itemitem.Params",
        choices=({"together": "basket"},),
    ),
    Entry(
        name="next_product_ease",
        engine="ease",
        title=_("EASE"),
        about=_(
            "A table of weights between products, found in one step, that best rebuilds what "
            "people bought."
        ),
        estimator="models_ml.algorithms.recommenders.ease.EASE",
        settings="models_ml.algorithms.recommenders.ease.Params",
        choices=({"penalty": 500.0, "fade": 0.9},),
    ),
    Entry(
        name="next_product_bpr",
        engine="bpr",
        title=_("BPR"),
        about=_(
            "Matrix factorisation that learns to put what a person bought above what they did not."
        ),
        estimator="models_ml.algorithms.recommenders.bpr.BPR",
        settings="models_ml.algorithms.recommenders.bpr.Params",
    ),
    Entry(
        name="next_product_local",
        engine="local",
        title=_("Popular among alike"),
        about=_(
            "What people of the same country who buy as often bought lately, drawn towards what "
            "everybody bought where they are few."
        ),
        estimator="models_ml.algorithms.recommenders.local.Local",
        settings="models_ml.algorithms.recommenders.local.Params",
        choices=({"half_life_days": 4.0}, {"half_life_days": 14.0}, {"half_life_days": 60.0}),
        reads=("people", "goods"),
    ),
    Entry(
        name="next_product_content",
        engine="content",
        title=_("Like in words"),
        about=_(
            "Products whose title, category and price are like those of what a person bought. It "
            "needs nobody to have bought them."
        ),
        estimator="models_ml.algorithms.recommenders.content.Content",
        settings="models_ml.algorithms.recommenders.content.Params",
        reads=("goods",),
    ),
    Entry(
        name="next_product_sasrec",
        engine="sasrec",
        title=_("SASRec"),
        about=_(
            "A transformer that reads a person's purchases in order and says after each what "
            "comes next."
        ),
        estimator=f"{SEQUENTIAL}.sasrec.SASRec",
        settings=f"{SEQUENTIAL}.engine.Params",
        choices=(SHOP,),
        by_epochs=True,
        holds="histories.npz",
        reader=f"{SEQUENTIAL}.served.sasrec",
        reads=("looks",),
    ),
    Entry(
        name="next_product_bert4rec",
        engine="bert4rec",
        title=_("BERT4Rec"),
        about=_(
            "A transformer that reads a person's purchases in order and fills in what comes next."
        ),
        estimator=f"{SEQUENTIAL}.bert4rec.BERT4Rec",
        settings=f"{SEQUENTIAL}.engine.Params",
        choices=({**SHOP, "hidden": 0.3, "last_only": 0.8},),
        by_epochs=True,
        holds="histories.npz",
        reader=f"{SEQUENTIAL}.served.bert4rec",
        reads=("looks",),
    ),
    Entry(
        name="next_product_blend",
        engine="blend",
        title=_("Blend"),
        about=_(
            "The lists of the other engines added up, with weights learned on people whose next "
            "purchases are known."
        ),
        estimator="models_ml.algorithms.recommenders.blend.Blend",
        settings="models_ml.algorithms.recommenders.blend.Params",
        choices=({"scale": "place"}, {"scale": "score"}),
        members=(
            "next_product_popular",
            "next_product_markov",
            "next_product_itemitem",
            "next_product_ease",
            "next_product_als",
            "next_product_local",
            "next_product_content",
            "next_product_sasrec",
            "next_product_bert4rec",
        ),
    ),
    Entry(
        name="next_product_ranker",
        engine="ranker",
        title=_("Ranker"),
        about=_(
            "The blend's candidates, put in order by trees that learned from what people then "
            "bought: what each engine says, prices, categories, and how each person buys."
        ),
        estimator="models_ml.algorithms.recommenders.ranker.Ranker",
        settings="models_ml.algorithms.recommenders.ranker.Params",
        gate="next_product_blend",
        ranks="next_product_blend",
        reads=("goods",),
    ),
)
BY_NAME = {entry.name: entry for entry in CATALOG}
BY_ENGINE = {entry.engine: entry for entry in CATALOG}
BASELINE = CATALOG[0].name
