"""Zoo animals: keepers, weights, meals."""

from ..cast import Cast, World
from ..schema import Topic, calc, fact, hop, layout, passage, pick
from ..values import measure

NAMES = (
    "Biscuit",
    "Tashi",
    "Pepper",
    "Mango",
    "Olga",
    "Bruno",
    "Kiwi",
    "Sable",
    "Nutmeg",
    "Rolf",
    "Juno",
    "Pascal",
    "Zuri",
    "Moss",
    "Clover",
    "Hugo",
)
SPECIES = (
    "tapir",
    "okapi",
    "pygmy hippo",
    "takin",
    "kudu",
    "bongo",
    "nyala",
    "oryx",
    "addax",
    "reindeer",
    "llama",
    "wildebeest",
    "warthog",
    "zebra",
)
HOUSES = (
    "Palm House",
    "River Walk",
    "Rock Terrace",
    "Night House",
    "Bamboo Yard",
    "Marsh Pavilion",
    "Savanna Barn",
    "Cedar Court",
)


def world(cast: Cast) -> World:
    """Return three animals of a zoo with keepers, sponsors, weights and feeding times."""
    a, b, c = (cast.name("*", "animal", NAMES) for _ in range(3))
    kind, kind_b, kind_c = (cast.name("*", "species", SPECIES, "a *", "an *") for _ in range(3))
    house, house_b, house_c = (cast.name("*", "house", HOUSES, "the *") for _ in range(3))
    keeper, keeper_b, keeper_c, vet, sponsor, sponsor_b = cast.people(6)
    weight = cast.measure(128, 290, "kilograms")
    born, born_b = cast.years(2, 2004, 2021, gap=1)
    (fed,), (fed_again,) = cast.clocks(1, 8, 11, step=5), cast.clocks(1, 14, 18, step=5)
    came, checked, due = cast.dates(3, first=4, last=10, span=28)
    return {
        "a": a,
        "b": b,
        "c": c,
        "kind": kind,
        "kind_b": kind_b,
        "kind_c": kind_c,
        "house": house,
        "house_b": house_b,
        "house_c": house_c,
        "keeper": keeper,
        "keeper_of_a": keeper,
        "keeper_b": keeper_b,
        "keeper_c": keeper_c,
        "vet": vet,
        "sponsor": sponsor,
        "sponsor_b": sponsor_b,
        "zoo": cast.site("* Zoo", "zoo", "*"),
        "x": cast.town(),
        "y": cast.town(),
        "born": born,
        "born_b": born_b,
        "fed": fed,
        "fed_again": fed_again,
        "came": came,
        "checked": checked,
        "due": due,
        "weight": weight,
        "weight_b": cast.measure(121, 290, "kilograms"),
        "weight_then": measure(weight.raw - cast.draw.between(3, 19), "kilograms"),
        "leaves": cast.measure(3, 14, "kilograms"),
        "fruit": cast.measure(2, 9, "kilograms"),
        "days": cast.count(14, 60, "days"),
        "entry": cast.money(9, 24),
        "pupils": cast.count(12, 33, "children"),
        "treat": cast.phrase("phrase", "melon, carrots, pears, sweet potato, figs, cucumber, dried apple, beetroot"),
        "toy": cast.phrase(
            "phrase",
            "the sand bath, the shallow pool, the old lime tree, the mud patch, the heat lamp, the south wall",
        ),
    }


SIGN = layout(
    "sign",
    passage(
        "<This is|Meet|Say hello to> {a}, <our|the> {kind} in the {house}<|, who likes to sleep late>.",
        "{a} was born in {born} at a zoo in {x}.",
        "{a} weighs {weight} and eats {leaves} of leaves <and {fruit} of fruit each day|a day, along with "
        "{fruit} of fruit>.",
        "<A favourite treat of {a} is|The favourite treat of {a} is> {treat}, and a favourite place to "
        "rest is near {toy}.",
        "<Feeding times for {a} are|You can watch {a} being fed at> {fed} and {fed_again}.",
        "The keeper of {a} is {keeper_of_a}; the vet who comes by is {vet}.",
        "<Next door lives|The neighbour is> {b}, a(n) {kind_b} born in {born_b}, who weighs {weight_b}.",
    ),
)
KEEPER = layout(
    "keeper",
    passage(
        "<From the keeper's notebook at {zoo}.|Keeper's notes, {zoo}.|Notes for the night keeper at {zoo}:>",
        "{a} the {kind} <came to us|arrived> on {came} with a weight of {weight_then}.",
        "At the check on {checked} <{a} weighed|the scales showed for {a}> {weight}.",
        "{b} the {kind_b} weighs {weight_b} and shares the yard without trouble.",
        "A new {kind_b}, a mate for {b}, is expected on {due}.",
        "Each day {a} gets {leaves} of leaves<|, mostly willow>.",
        "{a} <will not come in without|comes in only for> {treat} and sleeps near {toy}.",
        "{keeper} has the early shift, {keeper_b} the late one.",
        ordered=True,
    ),
)
NEWSLETTER = layout(
    "newsletter",
    passage(
        "<News for the friends of {zoo}.|The friends of {zoo} report.|Spring letter from {zoo}.>",
        "{sponsor} has become the sponsor of {a}, the {kind}.",
        "{b}, the {kind_b}, is paid for by {sponsor_b} <again|for another year>.",
        "{a} was born in {born}, {b} in {born_b}.",
        "<The new keeper of both|The keeper of the two animals> is {keeper_of_a}.",
        "<We store hay and leaves for|The leaf store is filled for> {days}; {a} needs {leaves} of leaves a day.",
        "<On Friday|Last week> {pupils} from {y} came to see {a}, and the ticket was {entry} for each.",
        "On its birthday {a} had a bowl of {treat} near {toy}.",
    ),
)
RECORD = layout(
    "record",
    passage(
        "Animal record: {a}, {zoo}",
        "Species: {kind}",
        "Born: {born}",
        "Weight on arrival: {weight_then}",
        "Weight today: {weight}",
        "Date of arrival: {came}",
        "Last check by the vet: {checked}",
        "Keeper: {keeper_of_a}",
        "Vet: {vet}",
        "House: {house}",
        "Leaves per day: {leaves}",
        "Fruit per day: {fruit}",
        "Favourite food: {treat}",
        lines=True,
        most=8,
    ),
    held_out=True,
)
KEEPERS = layout(
    "keepers",
    passage(
        "<Every animal has its own keeper.|Who feeds whom?>",
        "{a} is fed by {keeper}.",
        "{b} is fed by {keeper_b}.",
        "{c} is fed by {keeper_c}.",
        heading="<Keepers of {zoo}|Keepers and animals>",
        most=3,
    ),
    passage(
        "<Our keepers have come a long way.|The staff page tells where they learned the work.>",
        "{keeper} <was trained|learned the work> in {x}<| and also keeps parrots at home>.",
        "{keeper_b} <was trained|learned the work> in {y}<| and joined us two years ago>.",
        heading="<Staff page|About the staff>",
    ),
)
PLACES = layout(
    "places",
    passage(
        "<The animals have moved for the winter.|Winter quarters are ready.>",
        "{a} the {kind} is now in the {house}.",
        "{b} the {kind_b} is now in the {house_b}.",
        "{c} the {kind_c} is now in the {house_c}.",
        heading="<Winter plan|Where to find them>",
        most=3,
    ),
    passage(
        "<Talks are held in every house.|Times of the talks:>",
        "In the {house} the talk starts at {fed} and is given by {vet}.",
        "In the {house_b} the talk starts at {fed_again} and is given by {sponsor}.",
        heading="<Daily talks|Talks at {zoo}>",
    ),
)
GIFTS = layout(
    "sponsors",
    passage(
        "<Thank you to our sponsors.|The sponsors' wall has new names.>",
        "{sponsor} pays for {a}.",
        "{sponsor_b} pays for {b}.",
        heading="<Sponsors' wall|Our sponsors>",
        most=2,
    ),
    passage(
        "<Which animal is which?|A short list of names.>",
        "{a} is the {kind}.",
        "{b} is the {kind_b}.",
        "{c} is the {kind_c}.",
        heading="<Names|The animals of {zoo}>",
        most=3,
    ),
    passage(
        "<Everything about food.|From the kitchen:>",
        "The {kind} gets {treat} on Sundays.",
        "The {kind_b} gets {leaves} of hay a day.",
        "The {kind_c} gets <carrots|maize porridge> on Sundays.",
        heading="<Kitchen list|Feeding plan>",
        most=2,
    ),
    held_out=True,
)

QUESTIONS = (
    fact("What <kind of animal|species> is {a}?", "kind"),
    fact("In which year was {a} born?", "born"),
    fact("In which year was {b} born?", "born_b"),
    fact("How much does {a} weigh<| today>?", "weight"),
    fact("How much does {b} weigh?", "weight_b"),
    fact("What food is {a} given as a treat?", "treat"),
    fact("On which date did {a} arrive?", "came"),
    fact("Who is the keeper of {a}?", "keeper_of_a"),
    fact("Who is the vet of {a}?", "vet"),
    fact("Who is the sponsor of {a}?", "sponsor"),
    fact("Who pays for {b}?", "sponsor_b"),
    fact("At what time is the first feeding of {a}?", "fed"),
    fact("When was {a} checked?", "checked"),
    fact("How many kilograms of leaves does {a} get a day?", "leaves"),
    fact("How many children came to see {a}?", "pupils"),
    fact("On which date is the mate of {b} expected?", "due"),
    fact("Who has the late shift?", "keeper_b"),
    calc(
        "difference",
        "How many kilograms has {a} gained since arriving?",
        "weight",
        "weight_then",
        unit="kilograms",
    ),
    calc(
        "sum",
        "How many kilograms of leaves and fruit together does {a} eat a day?",
        "leaves",
        "fruit",
        unit="kilograms",
    ),
    calc("time_between", "How much time passes between the two feedings?", "fed", "fed_again"),
    calc(
        "product",
        "How many kilograms of leaves does {a} need for all the days of the store?",
        "days",
        "leaves",
        unit="kilograms",
    ),
    calc(
        "product",
        "How much did the tickets of the children from {y} cost in all?",
        "pupils",
        "entry",
        unit="money",
    ),
    calc("days_between", "How many days after arriving was {a} checked?", "came", "checked", unit="days"),
    calc(
        "difference",
        "By how many kilograms do {a} and {b} differ in weight?",
        "weight",
        "weight_b",
        unit="kilograms",
    ),
    pick("largest", "Which animal is heavier, {a} or {b}?", ("a", "weight"), ("b", "weight_b")),
    pick("earliest", "Who is older, {b} or {a}?", ("a", "born"), ("b", "born_b")),
    hop("In which town did the keeper of {a} learn the work?", "a", "keeper", "x", foil="y"),
    hop("Where did the keeper of {b} learn the work?", "b", "keeper_b", "y", foil="x"),
    hop("At what time is the talk in the house where {a} lives?", "a", "house", "fed", foil="fed_again"),
    hop("Who gives the talk in the house of the {kind_b}?", "kind_b", "house_b", "sponsor", foil="vet"),
    hop("Who gives the talk where {a} spends the winter?", "a", "house", "vet", foil="sponsor"),
    hop(
        "What does the animal that {sponsor} pays for get on Sundays?",
        "sponsor",
        "a",
        "kind",
        "treat",
        foil="leaves",
    ),
    hop("What kind of animal does {sponsor_b} pay for?", "sponsor_b", "b", "kind_b", foil="kind"),
    hop("What kind of animal is paid for by {sponsor}?", "sponsor", "a", "kind", foil="kind_b"),
)

TOPIC = Topic("zoo", world, (SIGN, KEEPER, NEWSLETTER, RECORD, KEEPERS, PLACES, GIFTS), QUESTIONS)
