"""Recipes: ingredients, times, cooks."""

from ..cast import Cast, World
from ..schema import Topic, calc, fact, hop, layout, passage, pick
from ..values import count, measure

DISHES = (
    "Harbour Pie",
    "Miller's Bread",
    "Lantern Cake",
    "Winter Loaf",
    "Saffron Loaf",
    "Shepherd's Tart",
    "Plum Ladder",
    "Fox Bread",
    "Barley Crown",
    "Moonlight Pudding",
    "Pepper Pasty",
    "Chestnut Ring",
)
BOOKS = (
    "The Tin Spoon",
    "Kitchens by the Sea",
    "Slow Sundays",
    "The Market Basket",
    "Four Burners",
    "Bread and Weather",
)


def world(cast: Cast) -> World:
    """Return dishes with amounts, times and cooks."""
    a, b, c = (cast.name("*", "dish", DISHES, "the *") for _ in range(3))
    book, book_b, book_c = (cast.name("*", "book", BOOKS) for _ in range(3))
    cook, cook_b, cook_c, friend = cast.people(4)
    draw = cast.draw
    serves = draw.pick((4, 6, 8))
    factor = draw.pick((2, 3, 4, 5))
    per_head = draw.pick((35, 40, 45, 55, 60, 65, 70, 85))
    (start,) = cast.clocks(1, 14, 18, step=5)
    return {
        "a": a,
        "b": b,
        "c": c,
        "book": book,
        "book_b": book_b,
        "book_c": book_c,
        "cook": cook,
        "baker": cook,
        "cook_b": cook_b,
        "cook_c": cook_c,
        "friend": friend,
        "x": cast.town(),
        "y": cast.town(),
        "start": start,
        "serves": count(serves, "people"),
        "guests": count(serves * factor, "guests"),
        "flour": measure(serves * per_head, "grams"),
        "sugar": cast.measure(25, 135, "grams", 5),
        "butter": cast.measure(140, 260, "grams", 5),
        "milk": cast.measure(150, 650, "millilitres", 10),
        "knead": cast.measure(6, 14, "minutes"),
        "rest": cast.measure(45, 90, "minutes", 5),
        "bake": cast.measure(25, 44, "minutes"),
        "bake_b": cast.measure(20, 95, "minutes"),
        "heat": cast.measure(160, 230, "degrees", 5),
        "cost": cast.money(5, 19),
        "plates": cast.count(12, 60, "plates"),
        "won": cast.years(1, 1962, 2018)[0],
        "spice_a": cast.phrase("phrase", "ginger, mace, fennel seed, dried mint, allspice, bay leaf"),
        "spice": cast.phrase("phrase", "caraway, nutmeg, cardamom, smoked paprika, star anise, thyme"),
        "side": cast.phrase(
            "phrase", "pickled beetroot, sour cream, mustard greens, apple sauce, roast onions, yoghurt"
        ),
        "pan": cast.phrase("phrase", "a clay dish, an iron pan, a ring mould, a copper pot, a stone bowl, a loaf tin"),
    }


CARD = layout(
    "card",
    passage(
        "<How to make|My way of making|A family recipe for> {a}, <enough for|for> {serves}:",
        "<Mix|Stir together> {flour} of flour, {sugar} of sugar and {milk} of milk.",
        "Work in {butter} of butter and season with {spice_a}.",
        "<Knead for|Knead the dough for> {knead}, then let it rest for {rest}.",
        "Bake for {bake} at {heat} in {pan}.",
        "Serve with {side}<|, while it is still warm>.",
        "<Tonight|On Saturday> {friend} is bringing {guests}, so make enough of everything.",
        ordered=True,
        most=5,
    ),
)
COLUMN = layout(
    "column",
    passage(
        "<In this week's kitchen column we try|Readers keep asking for|From the kitchen page:> {a}<|, the "
        "pride of {x}>.",
        "The recipe for {a} <comes from|was sent in by> {cook}, who <won a prize with it in {won}|took it "
        "to the "
        "fair in {won} and won>.",
        "{a} needs {flour} of flour for {serves}<|, no more and no less>.",
        "For {a} the oven must be at {heat}, and the dish stays in for {bake}.",
        "<By comparison,|As for the competition,> {b} takes {bake_b} in the oven.",
        "{friend} prefers {b}, seasoned with {spice}.",
        "<{a} is eaten with|The proper side dish for {a} is> {side}.",
        "All the ingredients came to {cost} at the market.",
    ),
)
KITCHEN = layout(
    "kitchen",
    passage(
        "<Kitchen plan for tonight.|To the kitchen team:|Plan for the evening shift.>",
        "The {a} goes into the oven at {start} and bakes for {bake}.",
        "The {b} needs {bake_b}<| and goes in separately>.",
        "We have {plates} of {a} to sell at {cost} each.",
        "{baker} makes the dough and {cook_b} the sauce.",
        "For one tray of {a} take {butter} of butter and {sugar} of sugar.",
        "<Set the oven to|The oven stays at> {heat}.",
        "<Use|We are out of tins, so use> {pan}, and serve the {a} with {side}.",
    ),
)
SCALES = layout(
    "table",
    passage(
        "{a} (serves {serves})",
        "Flour: {flour}",
        "Sugar: {sugar}",
        "Butter: {butter}",
        "Milk: {milk}",
        "Kneading: {knead}",
        "Resting: {rest}",
        "Baking: {bake}",
        "Oven: {heat}",
        "Spice: {spice_a}",
        "Side dish: {side}",
        "Sent in by: {cook}",
        "Tested by: {friend}",
        "Cost of the ingredients: {cost}",
        "Ordered for Sunday's party: enough for {guests}",
        lines=True,
        most=8,
    ),
    held_out=True,
)
COOKBOOKS = layout(
    "cookbooks",
    passage(
        "<Looking for a recipe? Here is where it stands.|An index of local dishes.>",
        "{a} is found in {book}.",
        "{b} is found in {book_b}.",
        "{c} is found in {book_c}.",
        heading="<Index|Where to find it>",
        most=3,
    ),
    passage(
        "<The shelf of cookbooks, with their makers.|Who wrote what?>",
        "{book} was written by {cook} and came out in {won}.",
        "{book_b} was written by {cook_b} <after years at sea|in a tiny flat>.",
        "{book_c} was written by {cook_c}.",
        heading="<Cookbook shelf|Authors>",
        most=2,
    ),
)
SUPPLIERS = layout(
    "suppliers",
    passage(
        "<The fair begins on Saturday.|Three stands at the fair.>",
        "{cook} is cooking {a}.",
        "{cook_b} is cooking {b}.",
        "{cook_c} is cooking {c}.",
        heading="<Stands at the fair|Who cooks what>",
        most=3,
    ),
    passage(
        "<What goes with it?|From the tasting notes:>",
        "{a} is seasoned with {spice} and costs {cost} a plate.",
        "{b} comes with {side} and takes {bake_b}.",
        "{b} is seasoned with <dill|sage|mint>.",
        heading="<Tasting notes|About the dishes>",
    ),
)
JURY = layout(
    "jury",
    passage(
        "<The jury has decided.|Prizes of the village fair:>",
        "The gold spoon goes to {cook} for {a}.",
        "The silver spoon goes to {cook_b} for {b}.",
        heading="<Prizes|Village fair>",
        most=2,
    ),
    passage(
        "<Where did these dishes begin?|A little history.>",
        "{a} was first made in {x} by <fishermen|nuns|millers>.",
        "{b} was first made in {y} by <shepherds|soldiers|tailors>.",
        heading="<History|Old dishes>",
    ),
    held_out=True,
)

QUESTIONS = (
    fact("How much flour does {a} need?", "flour"),
    fact("How much sugar goes into {a}?", "sugar"),
    fact("How much butter does {a} need?", "butter"),
    fact("How much milk does {a} need?", "milk"),
    fact("How long <must|should> the dough rest?", "rest"),
    fact("How long does {a} bake?", "bake"),
    fact("What temperature must the oven have?", "heat"),
    fact("What is {a} served with?", "side"),
    fact("Which spice goes into {a}?", "spice_a"),
    fact("Who sent in the recipe for {a}?", "cook"),
    fact("How long does {b} take in the oven?", "bake_b"),
    fact("Who makes the sauce?", "cook_b"),
    calc("sum", "How many minutes do kneading and resting take together?", "knead", "rest", unit="minutes"),
    calc(
        "sum",
        "How many minutes do kneading, resting and baking take together?",
        "knead",
        "rest",
        "bake",
        unit="minutes",
    ),
    calc("scale", "How much flour is needed for all the guests?", "flour", "serves", "guests", unit="grams"),
    calc("quotient", "How much flour is that per person?", "flour", "serves", unit="grams"),
    calc("time_after", "At what time is the {a} <done|ready to come out>?", "start", "bake"),
    calc("product", "How much money comes in if every plate of {a} is sold?", "plates", "cost", unit="money"),
    calc("difference", "How many grams more butter than sugar does {a} need?", "butter", "sugar", unit="grams"),
    calc(
        "difference",
        "By how many minutes do the baking times of {a} and {b} differ?",
        "bake",
        "bake_b",
        unit="minutes",
    ),
    pick("smallest", "Which dish is done sooner in the oven, {a} or {b}?", ("a", "bake"), ("b", "bake_b")),
    pick("largest", "Which dish needs more time in the oven, {b} or {a}?", ("a", "bake"), ("b", "bake_b")),
    hop("Who wrote the book that has the recipe for {a}?", "a", "book", "cook", foil="cook_b"),
    hop("Who is the author of the book with {b} in it?", "b", "book_b", "cook_b", foil="cook"),
    hop("Who wrote the book in which {c} is found?", "c", "book_c", "cook_c", foil="cook"),
    hop("With which spice is {cook}'s dish seasoned?", "cook", "a", "spice", foil="side"),
    hop("What does a plate of {cook}'s dish cost?", "cook", "a", "cost", foil="bake_b"),
    hop("What comes with the dish that {cook_b} is cooking?", "cook_b", "b", "side", foil="spice"),
    hop("Where was the dish first made that won the gold spoon for {cook}?", "cook", "a", "x", foil="y"),
    hop("In which town was {cook_b}'s prize dish first made?", "cook_b", "b", "y", foil="x"),
)

TOPIC = Topic("recipe", world, (CARD, COLUMN, KITCHEN, SCALES, COOKBOOKS, SUPPLIERS, JURY), QUESTIONS)
