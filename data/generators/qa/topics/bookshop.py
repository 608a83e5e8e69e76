"""Bookshops: owners, readings, orders."""

from ..cast import Cast, World
from ..schema import Topic, calc, fact, hop, layout, passage, pick

SHOPS = (
    "Paper Boat",
    "Second Chapter",
    "Inkwell & Sons",
    "The Owl's Shelf",
    "Marginalia",
    "Lamp and Page",
    "The Blue Spine",
    "Folio Corner",
    "Quire",
    "Dog-Ear Books",
    "Octavo",
    "The Reading Room",
)
TITLES = (
    "Salt Windows",
    "The Ninth Orchard",
    "A Map for Winter",
    "Glass Harvest",
    "The Clockmaker's Aunt",
    "Low Water",
    "Letters to a Heron",
    "The Quiet Ferry",
    "Rain in the Archive",
    "Small Hours in Brass",
    "The Cartographer's Dog",
    "Tin Summer",
)


def world(cast: Cast) -> World:
    """Return bookshops with owners, stock, prices and evenings."""
    a, b, c = (cast.name("*", "shop", SHOPS) for _ in range(3))
    s, t, u = (cast.name("*", "title", TITLES) for _ in range(3))
    x, y, z = cast.towns(3)
    owner, owner_b, owner_c, helper, author, author_b, author_c = cast.people(7)
    (opened,) = cast.years(1, 1926, 1988)
    moved = cast.later(opened, 6, 29)
    (opened_b,) = cast.years(1, 1931, 2012)
    ordered, reading, reading_b = cast.dates(3, first=4, last=10, span=25)
    (starts,), (ends,) = cast.clocks(1, 18, 19, step=15), cast.clocks(1, 20, 21, step=5)
    return {
        "a": a,
        "b": b,
        "c": c,
        "s": s,
        "t": t,
        "u": u,
        "x": x,
        "y": y,
        "z": z,
        "owner": owner,
        "seller": owner,
        "reader": author,
        "reader_b": author_b,
        "caller": author,
        "caller_b": author_b,
        "owner_b": owner_b,
        "owner_c": owner_c,
        "helper": helper,
        "author": author,
        "author_b": author_b,
        "author_c": author_c,
        "opened": opened,
        "moved": moved,
        "opened_b": opened_b,
        "ordered": ordered,
        "reading": reading,
        "reading_b": reading_b,
        "starts": starts,
        "ends": ends,
        "wait": cast.count(5, 21, "days"),
        "books": cast.count(3200, 9800, "books", 50),
        "books_b": cast.count(3200, 9800, "books", 50),
        "soft": cast.money(7, 14),
        "hard": cast.money(18, 34),
        "n_soft": cast.count(3, 17, "paperbacks"),
        "n_hard": cast.count(2, 16, "hardbacks"),
        "chairs": cast.count(30, 75, "chairs"),
        "guests": cast.count(11, 29, "guests"),
        "pages": cast.count(140, 390, "pages"),
        "pages_b": cast.count(140, 390, "pages"),
        "street": cast.phrase(
            "phrase",
            "Cooper Street, Mill Lane, Candle Row, Bridge Street, Weaver Lane, Fishmonger Row, Orchard "
            "Street, Tanner Lane",
        ),
        "before": cast.phrase("phrase", "a pharmacy, a bakery, a bank, a barber's, a tea warehouse, a post office"),
    }


PORTRAIT = layout(
    "portrait",
    passage(
        "{a} is a bookshop in {street} in {x}, <with two cats and no coffee machine|narrow, warm and a little dusty>.",
        "<It opened in|It was opened in> {opened} and moved to its present rooms in {moved}.",
        "<Before that the rooms had been|The rooms used to be> {before}.",
        "<The owner is|It belongs to> {owner}, who <knows most customers by name|reads every poem aloud "
        "before selling it>.",
        "{helper} <repairs old bindings in the back room|looks after the children's corner>.",
        "The shelves hold {books}.",
        "<The only other bookshop in town,|Its rival across the square,> {b}, opened in {opened_b} and has {books_b}.",
        ordered=True,
    ),
)
EVENING = layout(
    "evening",
    passage(
        "<You are invited!|An invitation from {a}.|Reading night at {a}!> <Bring a friend.|Tea is "
        "free.|The door on the yard side will be open.>",
        "On {reading} {reader} reads from {s}, a novel of {pages}.",
        "On {reading_b} it is the turn of {reader_b} with {t}, which runs to {pages_b}.",
        "Both evenings begin at {starts} and end at {ends}.",
        "We have {chairs}, and {guests} have <already signed up|sent word> for the first evening.",
        "A signed hardback costs {hard}, a paperback {soft}.",
        "Please <write to|ring> {helper} for a seat; {seller} will be at the till.",
        "You will find us in {street}<|, two doors from the fountain>.",
    ),
)
MEMO = layout(
    "memo",
    passage(
        "<Note for the morning shift.|To whoever opens tomorrow:|For the day book of {a}.>",
        "The school in {x} wants {n_soft} and {n_hard}.",
        "A paperback is {soft}, a hardback {hard}<|, without discount>.",
        "The order for {s} went out on {ordered}; the printer needs {wait}.",
        "<Please ring|Somebody must ring> {caller}, and not {caller_b}, about the misprint<| on page one>.",
        "We counted the stock: {books} here and {books_b} at {b}.",
        "{seller} has the key to the cellar, {helper} the one to the yard.",
        "{t} has {pages_b} and <goes into the window|belongs on the front table>.",
        "{s} has {pages} and <stays in the cellar for now|goes up to the attic>.",
    ),
)
CATALOGUE = layout(
    "catalogue",
    passage(
        "Catalogue slip: {a}, {street}",
        "{s}, by {author}: {pages}",
        "{t}, by {author_b}: {pages_b}",
        "Paperback edition: {soft}",
        "Hardback edition: {hard}",
        "Owner of the shop: {owner}",
        "Shop opened: {opened}",
        "Moved to these rooms: {moved}",
        "Books in stock: {books.n}",
        "Reading of {s}: {reading}",
        "Reading of {t}: {reading_b}",
        lines=True,
        most=8,
    ),
    held_out=True,
)
AUTHORS = layout(
    "authors",
    passage(
        "<These titles sold best last month.|Our list of best sellers.>",
        "First place went to {s} by {author}.",
        "Second place went to {t} by {author_b}.",
        "Third place went to {u} by {author_c}.",
        heading="<Best sellers|Our top titles>",
        most=3,
    ),
    passage(
        "<About the writers.|Who writes these books?>",
        "{author} <lives|has a small flat> in {x} and <works as a vet|teaches chemistry|mends violins>.",
        "{author_b} <lives|has a small flat> in {y} and <keeps goats|drives a tram|translates from Finnish>.",
        heading="<The writers|Lives of the writers>",
    ),
)
OWNERS = layout(
    "owners",
    passage(
        "<The booksellers' guild met in May.|Members of the booksellers' guild:>",
        "{a} belongs to {owner}.",
        "{b} belongs to {owner_b}.",
        "{c} belongs to {owner_c}.",
        heading="<Guild news|List of members>",
        most=3,
    ),
    passage(
        "<The guild also asked its members how they began.|How did they start?>",
        "{owner} opened the shop in {opened}, in what had been {before}.",
        "{owner_b} opened the shop in {opened_b}, in <what had been a stable|a former cinema foyer>.",
        heading="<Beginnings|A question to members>",
    ),
)

QUESTIONS = (
    fact("In which year did {a} open?", "opened"),
    fact("In which year did {a} move<| to its present rooms>?", "moved"),
    fact("Who owns {a}?", "owner"),
    fact("What were the rooms of {a} used for <before|earlier>?", "before"),
    fact("How many books does {a} have?", "books"),
    fact("How many books does {b} have?", "books_b"),
    fact("On which date is the reading from {s}?", "reading"),
    fact("Who reads from {t}?", "reader_b"),
    fact("Who must be rung about the misprint?", "caller"),
    fact("Who is the author of {t}?", "author_b"),
    fact("Who reads from {s}?", "reader"),
    fact("How many pages are there in {s}?", "pages"),
    fact("How many chairs does {a} have?", "chairs"),
    fact("How much is a <signed |>hardback?", "hard"),
    fact("How much is a paperback?", "soft"),
    fact("Which street is {a} in?", "street"),
    calc("difference", "How many years after opening did {a} move?", "moved", "opened", unit="years"),
    calc(
        "two_products",
        "What do all the books that the school in {x} wants cost together?",
        "n_soft",
        "soft",
        "n_hard",
        "hard",
        unit="money",
    ),
    calc("date_after", "If the printer keeps to the time, when is {s} ready?", "ordered", "wait"),
    calc(
        "remainder",
        "How many chairs are still free for the first evening?",
        "chairs",
        "guests",
        unit="chairs",
    ),
    calc("time_between", "How long does an evening last?", "starts", "ends"),
    calc(
        "days_between",
        "How many days after the first reading is the second one?",
        "reading",
        "reading_b",
        unit="days",
    ),
    calc("sum", "How many books do {a} and {b} have together?", "books", "books_b", unit="books"),
    calc("difference", "By how many pages do {s} and {t} differ?", "pages", "pages_b", unit="pages"),
    pick("largest", "Which <book|title> is longer, {s} or {t}?", ("s", "pages"), ("t", "pages_b")),
    pick("earliest", "Which shop is older, {b} or {a}?", ("a", "opened"), ("b", "opened_b")),
    pick("largest", "Which shop has more books, {a} or {b}?", ("a", "books"), ("b", "books_b")),
    hop("In which town does the author of {s} live?", "s", "author", "x", foil="y"),
    hop("Where does the writer of {t} live?", "t", "author_b", "y", foil="x"),
    hop("In which year did the owner of {a} open the shop?", "a", "owner", "opened", foil="opened_b"),
    hop("In which year did the owner of {b} open the shop?", "b", "owner_b", "opened_b", foil="opened"),
)

TOPIC = Topic("bookshop", world, (PORTRAIT, EVENING, MEMO, CATALOGUE, AUTHORS, OWNERS), QUESTIONS)
