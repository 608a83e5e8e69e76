"""Countries with what belongs together: currency, notations, cities, streets, companies, telephone numbers.

The stems of company names are split between train, val and test (twenty in each country); what follows the
stem, cities and streets are shared.
"""

from __future__ import annotations

from dataclasses import dataclass

from .draw import Draw
from .people import plain


@dataclass(frozen=True)
class Country:
    """One country; ``scale`` is roughly how many units of its currency make one euro."""

    name: str
    currency: str
    scale: int
    dates: tuple[str, ...]
    times: tuple[str, ...]
    money: tuple[str, ...]
    phone: str
    cities: tuple[str, ...]
    streets: tuple[str, ...]
    stems: tuple[str, ...]
    firms: tuple[str, ...]


def _names(text: str) -> tuple[str, ...]:
    """Return the comma-separated names of a text."""
    return tuple(name.strip() for name in text.split(","))


COUNTRIES: dict[str, Country] = {
    country.name: country
    for country in (
        Country(
            "Germany",
            "EUR",
            1,
            ("dots", "long", "iso", "weekday"),
            ("24", "24h"),
            ("comma_after", "code_comma"),
            "+49 341 #### ###",
            _names("Hamburg, Leipzig, Freiburg, Bremen, Regensburg, Kassel"),
            _names("Lindenstraße {}, Am Alten Hafen {}, Goethestraße {}, Mühlenweg {}, Bahnhofstraße {}"),
            _names(
                "Vogtland, Hansekontor, Rheinwerk, Auenhof, Nordlicht, Saalfeld, Steinbach, Elbtal, "
                "Werrablick, Fichtelberg, Isarquell, Brockengrund, Mainufer, Heidekraut, Wolfsberg, "
                "Kupferhammer, Spreewinkel, Tannengrund, Lahnstein, Moorfeld"
            ),
            _names(
                "{} Optik GmbH, {} Logistik GmbH, {} Druck GmbH, {} Gartenbau KG, {} Energie AG, "
                "{} Messtechnik GmbH, {} Metallbau GmbH, {} Papier GmbH, {} Catering GmbH, {} Software AG"
            ),
        ),
        Country(
            "United Kingdom",
            "GBP",
            1,
            ("long", "slash_day", "ordinal", "short"),
            ("pm", "24", "dotpm"),
            ("sign", "code_dot"),
            "+44 1## ### ####",
            _names("Bristol, Leeds, Cardiff, Norwich, Glasgow, Exeter"),
            _names("{} Orchard Lane, {} Harbour Road, {} Mill Street, {} Castle Terrace, {} Station Approach"),
            _names(
                "Brackwater, Fernley, Peakstone, Tidewell, Copperfield, Harrowgate, Larkhill, Moorcroft, "
                "Saltmarsh, Wrenbury, Ashcombe, Dunmore, Eastleigh Vale, Foxglove, Greyfriars, Hollin Bank, "
                "Kestrel, Langdale, Merrow, Oakhampton"
            ),
            _names(
                "{} Supplies Ltd, {} & Holt LLP, {} Joinery Ltd, {} Marine Ltd, {} Signs Ltd, "
                "{} Textiles Ltd, {} Foods Ltd, {} Systems Ltd, {} Interiors Ltd, {} Books Ltd"
            ),
        ),
        Country(
            "United States",
            "USD",
            1,
            ("us_long", "slash_month", "us_short", "us_ordinal"),
            ("pm", "PM"),
            ("sign", "code_dot"),
            "+1 555 01# ####",
            _names("Portland, Tucson, Madison, Savannah, Duluth, Boise"),
            _names("{} Maple Avenue, {} Cedar Street, {} Lakeview Drive, {} Canyon Road, {} Union Square"),
            _names(
                "Blue Mesa, Ironwood, Prairie Light, Cascade, Juniper Valley, Redbank, Silver Creek, "
                "Tallgrass, Harborline, Quarry Hill, Bison Flat, Cottonwood, Eagle Pass, Flint River, "
                "Golden Spike, High Desert, Lone Oak, Magnolia, Osprey, Pine Ridge"
            ),
            _names(
                "{} Roofing LLC, {} Tools LLC, {} Clinic LLC, {} Print Works LLC, {} Dairy LLC, "
                "{} Analytics LLC, {} Outfitters LLC, {} Media LLC, {} Freight LLC, {} Coffee LLC"
            ),
        ),
        Country(
            "France",
            "EUR",
            1,
            ("long", "slash_day", "weekday", "iso"),
            ("24", "h"),
            ("space_after", "code_dot"),
            "+33 4 ## ## ## ##",
            _names("Lyon, Nantes, Dijon, Rennes, Grenoble, Toulouse"),
            _names("{} rue des Tilleuls, {} quai Saint-Michel, {} avenue Pasteur, {} place du Marché, {} rue Victor"),
            _names(
                "Beaumarchais, Clairval, Lagarde, Bellecour, Valmont, Rochefort, Grenelle, Sauvage, "
                "Montclair, Fontenay, Marsannay, Bonnefoy, Duvernois, Estaing, Hauterive, Jolivet, Lancelin, "
                "Mirabel, Orvault, Pommeraye"
            ),
            _names(
                "Atelier {} SARL, Verrerie {} SA, Maison {} SARL, Transports {} SA, Imprimerie {} SARL, "
                "Fromagerie {} SARL, Cabinet {} SARL, Menuiserie {} SARL, Studio {} SARL, "
                "Pépinières {} SARL"
            ),
        ),
        Country(
            "India",
            "INR",
            60,
            ("long", "slash_day", "short", "ordinal"),
            ("pm", "24"),
            ("lakh", "code_dot"),
            "+91 98### #####",
            _names("Pune, Chennai, Jaipur, Kochi, Indore, Mysuru"),
            _names("{} MG Road, {} Temple Street, {} Lake View Road, {} Gandhi Nagar, {} Station Road"),
            _names(
                "Sahyadri, Kaveri, Blue Lotus, Deccan, Malabar, Aravalli, Konkan, Narmada, Peacock, Vindhya, "
                "Banyan, Chinar, Godavari, Himadri, Indus Bay, Jasmine, Kalinga, Marigold, Nilgiri, Rann"
            ),
            _names(
                "{} Polymers Pvt Ltd, {} Textiles Pvt Ltd, {} Software Pvt Ltd, {} Spices Pvt Ltd, "
                "{} Timber Pvt Ltd, {} Ceramics Pvt Ltd, {} Seafoods Pvt Ltd, {} Solar Pvt Ltd, "
                "{} Travels Pvt Ltd, {} Engineering Pvt Ltd"
            ),
        ),
        Country(
            "Japan",
            "JPY",
            100,
            ("iso", "ymd_slash", "long", "weekday"),
            ("24",),
            ("code_dot", "yen"),
            "+81 3 5### ####",
            _names("Sapporo, Kanazawa, Fukuoka, Sendai, Kobe, Nagano"),
            _names("{} Sakura-dori, {} Kita-machi, {} Midori-cho, {} Hondori, {} Minato-dori"),
            _names(
                "Hakusan, Minato, Akebono, Tsubame, Yukiguni, Komorebi, Oozora, Kitaguni, Shiosai, Takumi, "
                "Asagao, Fujimi, Hotaru, Inaho, Kaede, Momiji, Nagisa, Ryusei, Suzuran, Wakaba"
            ),
            _names(
                "{} Seiki KK, {} Foods KK, {} Lighting KK, {} Cutlery KK, {} Sake KK, {} Design KK, "
                "{} Travel KK, {} Paper KK, {} Shipping KK, {} Robotics KK"
            ),
        ),
        Country(
            "Brazil",
            "BRL",
            5,
            ("long", "slash_day", "dots", "iso"),
            ("24", "h"),
            ("real", "code_comma"),
            "+55 41 3### ####",
            _names("Curitiba, Recife, Salvador, Campinas, Florianópolis, Manaus"),
            _names("Rua das Palmeiras {}, Avenida Central {}, Rua do Porto {}, Alameda Santos {}, Rua Augusta {}"),
            _names(
                "Pinheiral, Serrano, Porto Azul, Ipê, Tropical, Rio Claro, Araucária, Boto, Maracatu, "
                "Vitória, Açaí, Beija-Flor, Cajueiro, Dourado, Estrela, Girassol, Jacarandá, Litoral, "
                "Mandacaru, Sabiá"
            ),
            _names(
                "{} Móveis Ltda, {} Cafés Ltda, {} Logística Ltda, {} Construções Ltda, {} Gráfica Ltda, "
                "{} Alimentos SA, {} Energia SA, {} Turismo Ltda, {} Instrumentos Ltda, {} Têxtil SA"
            ),
        ),
        Country(
            "Poland",
            "PLN",
            4,
            ("dots", "long", "iso", "short"),
            ("24",),
            ("zloty", "code_dot"),
            "+48 22 ### ## ##",
            _names("Kraków, Gdańsk, Poznań, Lublin, Toruń, Katowice"),
            _names("ul. Lipowa {}, ul. Ogrodowa {}, ul. Portowa {}, al. Niepodległości {}, ul. Kwiatowa {}"),
            _names(
                "Bursztyn, Tatra, Wisła, Mazovia, Bieszczady, Syrena, Jantar, Dolina, Karpaty, Odra, Bałtyk, "
                "Czapla, Dąbrowa, Gwiazda, Jodła, Kormoran, Łabędź, Olza, Pilica, Sokół"
            ),
            _names(
                "{} Trade Sp z oo, {} Sport Sp z oo, {} Okna SA, {} Druk Sp z oo, {} Herbs Sp z oo, "
                "{} Software SA, {} Shipping SA, {} Foods Sp z oo, {} Meble Sp z oo, {} Chemia SA"
            ),
        ),
        Country(
            "Sweden",
            "SEK",
            10,
            ("iso", "long", "weekday", "short"),
            ("24", "dot"),
            ("code_space", "space_code"),
            "+46 31 ### ## ##",
            _names("Malmö, Uppsala, Göteborg, Umeå, Örebro, Lund"),
            _names("Strandvägen {}, Kungsgatan {}, Björkgatan {}, Hamngatan {}, Storgatan {}"),
            _names(
                "Fjällräv, Västkust, Norrsken, Lingon, Granskog, Skärgård, Mälaren, Polstjärna, Hagavik, "
                "Åkerbär, Björkdal, Ekudden, Gråsten, Havsörn, Klarälv, Myrmark, Smultron, Tallbacken, "
                "Vinterö, Ängsholm"
            ),
            _names(
                "{} Outdoor AB, {} Båtar AB, {} Data AB, {} Livs AB, {} Trä AB, {} Resor AB, {} Medicin AB, "
                "{} Belysning AB, {} Bygg AB, {} Design AB"
            ),
        ),
        Country(
            "Kenya",
            "KES",
            130,
            ("long", "slash_day", "ordinal", "weekday"),
            ("pm", "hrs"),
            ("code_dot", "ksh"),
            "+254 7## ######",
            _names("Nairobi, Kisumu, Nakuru, Eldoret, Mombasa, Nyeri"),
            _names("{} Kenyatta Avenue, {} Moi Road, {} Acacia Lane, {} Market Street, {} Lakeside Road"),
            _names(
                "Rift Valley, Savanna, Twiga, Baobab, Highland, Mara, Jua Kali, Lamu, Nyota, Ziwa, "
                "Acacia Hill, Bahari, Chui, Duma, Elgon, Furaha, Kilele, Maisha, Simba Rock, Umoja"
            ),
            _names(
                "{} Tea Ltd, {} Solar Ltd, {} Couriers Ltd, {} Learning Ltd, {} Flowers Ltd, {} Safaris Ltd, "
                "{} Metals Ltd, {} Tours Ltd, {} Textiles Ltd, {} Fisheries Ltd"
            ),
        ),
        Country(
            "Switzerland",
            "CHF",
            1,
            ("dots", "long", "weekday", "iso"),
            ("24", "dot"),
            ("apostrophe",),
            "+41 44 ### ## ##",
            _names("Luzern, Basel, Winterthur, Lausanne, St. Gallen, Chur"),
            _names("Seestrasse {}, Kirchgasse {}, Bergweg {}, Rathausplatz {}, Dorfstrasse {}"),
            _names(
                "Gotthard, Säntis, Rigi, Matterhorn, Aareblick, Bernina, Jura, Limmat, Engadin, Lavaux, "
                "Albula, Churfirsten, Dufour, Eiger, Grimsel, Hohgant, Kyburg, Niesen, Pilatus, Thurgold"
            ),
            _names(
                "{} Instrumente AG, {} Pharma AG, {} Schokolade AG, {} Treuhand AG, {} Verlag AG, "
                "{} Werkzeug AG, {} Uhren SA, {} Consulting AG, {} Möbel AG, {} Vins SA"
            ),
        ),
        Country(
            "Canada",
            "CAD",
            1,
            ("us_long", "iso", "us_short"),
            ("pm", "24"),
            ("code_dot", "after_code"),
            "+1 555 02# ####",
            _names("Halifax, Winnipeg, Victoria, Kingston, Saskatoon, Moncton"),
            _names("{} Birch Street, {} Lighthouse Road, {} Queen Street, {} Elmwood Crescent, {} Ferry Road"),
            _names(
                "Loon Lake, Prairie Wheat, Cape Breton, Red Maple, Tundra, Fundy, Okanagan, Granite Bay, "
                "Northern Pine, Kodiak, Aurora Point, Beaver Dam, Caribou, Drumlin, Eastport, Frostline, "
                "Gander, Labrador, Moose Creek, Spruce Hollow"
            ),
            _names(
                "{} Canoes Inc, {} Mills Inc, {} Woollens Inc, {} Press Inc, {} Geo Services Inc, "
                "{} Shellfish Inc, {} Orchards Inc, {} Homes Inc, {} Furniture Inc, {} Safety Gear Inc"
            ),
        ),
    )
}


def country(d: Draw) -> Country:
    """Return one of the countries."""
    return d.pick(list(COUNTRIES.values()))


def stem(d: Draw, land: Country) -> str:
    """Return the stem of a company name: of the split of the row, new in the row, recorded as an entity."""
    return d.own(land.stems)


def company(d: Draw, land: Country) -> str:
    """Return a company of the country, named by a stem of its own."""
    return d.pick(land.firms).format(stem(d, land))


def supplier(d: Draw, land: Country) -> str:
    """Return a company that sells goods of many sorts, named like the others."""
    return f"{stem(d, land)} {d.pick(_TRADES)} {_FORMS[land.name]}"


def domain(name: str) -> str:
    """Return the web domain of a company, under the reserved top level .example."""
    words = [word for word in plain(name).split("-") if word not in _LEGAL_FORMS]
    return "-".join(words[:2]) + ".example"


_LEGAL_FORMS = frozenset(
    (
        "gmbh",
        "kg",
        "ag",
        "ltd",
        "llp",
        "llc",
        "sarl",
        "sa",
        "pvt",
        "kk",
        "ltda",
        "sp",
        "z",
        "oo",
        "ab",
        "inc",
        "and",
    )
)
_TRADES = (
    "Trading",
    "Wholesale",
    "Office Supply",
    "Equipment",
    "Warehouse",
    "Home & Office",
    "Direct",
    "Store",
)
_FORMS = {
    "Germany": "GmbH",
    "United Kingdom": "Ltd",
    "United States": "LLC",
    "France": "SARL",
    "India": "Pvt Ltd",
    "Japan": "KK",
    "Brazil": "Ltda",
    "Poland": "Sp z oo",
    "Sweden": "AB",
    "Kenya": "Ltd",
    "Switzerland": "AG",
    "Canada": "Inc",
}


def street(d: Draw, land: Country) -> str:
    """Return a street with a house number, in the order of the country."""
    return d.pick(land.streets).format(d.between(2, 148))


def phone(d: Draw, land: Country) -> str:
    """Return a telephone number in the country's form."""
    return d.code(land.phone)
