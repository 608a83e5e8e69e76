"""Persons: names of many cultures. Surnames are split between train, val and test."""

from __future__ import annotations

from dataclasses import dataclass

from .draw import Draw, split_part

# culture: (female given names, male given names, surnames); twenty surnames each, so that the split is even.
_NAMES: dict[str, tuple[str, str, str]] = {
    "british": (
        "Harriet Gemma Imogen Bethan Fiona",
        "Callum Rupert Gareth Alistair Duncan",
        "Ashworth Pemberton Fairclough Ogilvie Thistlewood Hargreaves Llewellyn Whitcombe "
        "Braithwaite Prescott "
        "Wetherby Stanfield Cartwright Lockwood Merriman Penrose Radcliffe Sedgwick Tunstall Yardley",
    ),
    "american": (
        "Denise Marcy Tamika Lorraine Paige",
        "Wyatt Darnell Curtis Travis Jerome",
        "Holloway Stockton Winslow Mayfield Beaumont Kirkland Tolliver Hatcher Lindgren Rutledge "
        "Whitaker Delgado-Reed Buckley Carver Dalton Easton Fairbanks Granger Haywood Jennings",
    ),
    "german": (
        "Annika Svenja Greta Ulrike Marlene",
        "Torsten Henning Lukas Matthias Jonas",
        "Brandt Vogelsang Kessler Reinhardt Obermann Dietz Schreiber Hollmann Wieland Krüger "
        "Albrecht Baumgartner Eichhorn Falkenberg Gerlach Hagedorn Lindner Neumann Pfeiffer Wegener",
    ),
    "french": (
        "Camille Margaux Solène Aurélie Hélène",
        "Thibault Rémi Bastien Laurent Mathieu",
        "Delacroix Fontaine Marchand Rousselet Chevalier Garnier Lemoine Perrault Gauthier Moreau "
        "Aubert Blanchard Carpentier Dumont Ferrand Girard Lacroix Mercier Poirier Renaud",
    ),
    "hispanic": (
        "Lucía Ximena Marisol Pilar Carmen",
        "Joaquín Mateo Esteban Rodrigo Andrés",
        "Salazar Quintero Villanueva Herrera Montoya Cisneros Aguilar Escobedo Navarro Iglesias "
        "Barrios Castaño Duarte Echeverría Fuentes Guerrero Lozano Márquez Palacios Robles",
    ),
    "italian": (
        "Chiara Giulia Ilaria Federica Serena",
        "Lorenzo Matteo Davide Riccardo Fabio",
        "Bianchi Moretti Castellani Ferrante Gallo Marchetti Rinaldi Sartori Vitale Colombo "
        "Amato Benedetti Caruso Esposito Fontana Giordano Leone Mancini Pellegrini Romano",
    ),
    "polish": (
        "Agnieszka Zofia Kasia Magdalena Ewa",
        "Tomasz Krzysztof Paweł Marek Jakub",
        "Wójcik Zieliński Nowak Kaczmarek Jabłoński Mazur Pawlak Sobczak Górski Wilk "
        "Bielecki Chmiel Dudek Gajewski Kubiak Lis Majewski Piotrowski Szulc Walczak",
    ),
    "nordic": (
        "Ingrid Astrid Saga Linnea Kirsten",
        "Lars Anders Bjørn Mikkel Oskar",
        "Lindqvist Halvorsen Nyberg Ekström Sørensen Bergman Dahl Holm Rasmussen Virtanen "
        "Aaltonen Backman Engström Fossum Gustafsson Hedlund Kjær Lund Nygaard Strand",
    ),
    "indian": (
        "Priya Ananya Kavita Meera Deepika",
        "Arjun Rohan Vikram Sandeep Karthik",
        "Raghavan Chatterjee Deshpande Kulkarni Nair Iyer Bhatt Malhotra Reddy Banerjee "
        "Agarwal Bose Chauhan Desai Gupta Joshi Menon Patel Sharma Varma",
    ),
    "chinese": (
        "Meiling Xiaoyu Jing Yanfei Lihua",
        "Wenbo Haoran Junjie Zhiyuan Boqin",
        "Zhang Ouyang Huang Deng Xu Liang Feng Zhao Tan Guo Cai Chen Fan Gao Jiang Lin Peng Shen Wu Yuan",
    ),
    "japanese": (
        "Yuki Haruka Sakura Emiko Naomi",
        "Kenji Hiroshi Takumi Daisuke Shota",
        "Watanabe Fujimoto Nakagawa Ishikawa Kobayashi Matsuda Hayashi Okada Shimizu Ueno "
        "Aoki Endo Fukuda Hasegawa Inoue Kimura Mori Nishimura Sakamoto Yamada",
    ),
    "nigerian": (
        "Ngozi Adaeze Folake Chiamaka Yewande",
        "Chinedu Tunde Emeka Babajide Obinna",
        "Okafor Adeyemi Balogun Eze Nwosu Oyelaran Abiodun Ogunleye Uche Lawal "
        "Adebayo Bello Chukwu Danjuma Ekwueme Fashola Igwe Musa Okonkwo Soyinka",
    ),
    "east_african": (
        "Wanjiru Akinyi Neema Zawadi Hiwot",
        "Kamau Otieno Baraka Juma Tesfaye",
        "Mwangi Odhiambo Kiptoo Njoroge Wekesa Mutua Kimani Ochieng Barasa Achieng "
        "Cheruiyot Gathoni Kamande Kariuki Maina Muthoni Nyambura Onyango Rotich Wafula",
    ),
    "arabic": (
        "Layla Noura Salma Rania Yasmin",
        "Omar Khalid Tariq Youssef Samir",
        "Haddad Mansour Al-Sayed Khoury Nasser Farouk Darwish Zaher Sabbagh Hamdan "
        "Aziz Bakri Fahmy Ghanem Ibrahim Jaber Karam Najjar Rashid Saleh",
    ),
    "turkish": (
        "Elif Zeynep Defne Sevgi Aylin",
        "Emre Mehmet Burak Kerem Serkan",
        "Yılmaz Aydın Demirci Karaca Özkan Polat Şahin Tekin Kaplan Erdem "
        "Aksoy Bulut Çelik Doğan Güneş Kara Korkmaz Öztürk Toprak Yıldız",
    ),
    "vietnamese": (
        "Linh Thuy Huong Mai Trang",
        "Minh Quang Tuan Duc Hieu",
        "Nguyen Tran Pham Hoang Vo Dang Bui Doan Truong Luong Cao Dinh Ha Huynh Lam Le Mac Ngo Phan Trinh",
    ),
    "brazilian": (
        "Beatriz Larissa Juliana Renata Thaís",
        "Thiago Caio Gustavo Felipe Leandro",
        "Carvalho Teixeira Monteiro Pacheco Ribeiro Nogueira Barbosa Figueira Siqueira Amaral "
        "Azevedo Bastos Cardoso Dias Farias Lacerda Macedo Peixoto Rocha Tavares",
    ),
    "ukrainian": (
        "Oksana Daryna Kateryna Iryna Halyna",
        "Dmytro Andriy Taras Bohdan Mykola",
        "Kovalenko Shevchuk Bondar Melnyk Tkachenko Lysenko Hrytsenko Savchenko Marchuk Rudenko "
        "Boyko Hnatiuk Ivanchuk Klymenko Moroz Oliynyk Petrenko Romaniuk Symonenko Zhuk",
    ),
}

_PLAIN = str.maketrans(
    {
        "ü": "u",
        "è": "e",
        "é": "e",
        "ú": "u",
        "í": "i",
        "ó": "o",
        "ł": "l",
        "ñ": "n",
        "ø": "o",
        "ö": "o",
        "ı": "i",
        "ş": "s",
        "ń": "n",
        "ä": "a",
        "ß": "ss",
        "å": "a",
        "ã": "a",
        "ğ": "g",
        "ç": "c",
        "ê": "e",
        "ą": "a",
        "ę": "e",
        "ś": "s",
        "ż": "z",
        "ź": "z",
        "á": "a",
        "õ": "o",
        "æ": "ae",
        " ": "-",
        "'": "",
        "&": "and",
    }
)


def plain(text: str) -> str:
    """Return the text in lower-case ASCII, as it would stand in an e-mail address."""
    return text.lower().translate(_PLAIN)


@dataclass(frozen=True)
class Person:
    """A named person."""

    given: str
    surname: str
    female: bool

    @property
    def full(self) -> str:
        """Given name and surname."""
        return f"{self.given} {self.surname}"

    @property
    def formal(self) -> str:
        """Ms or Mr with the surname."""
        return f"{'Ms' if self.female else 'Mr'} {self.surname}"

    def email(self, domain: str, short: bool = False) -> str:
        """An address at the domain, with the whole given name or its first letter."""
        given = plain(self.given)
        return f"{given[0] if short else given}.{plain(self.surname)}@{domain}"


def person(d: Draw) -> Person:
    """Return a person whose surname belongs to the split of the row; both names are new in the row."""
    used = {name for entity in d.entities for name in entity.split()}
    while True:
        female_names, male_names, surnames = _NAMES[d.pick(list(_NAMES))]
        female = d.chance(0.5)
        given = d.pick((female_names if female else male_names).split())
        surname = d.pick(split_part(surnames.split(), d.split))
        if given not in used and surname not in used:
            d.entities.append(f"{given} {surname}")
            return Person(given, surname, female)


def people(d: Draw, count: int) -> list[Person]:
    """Return ``count`` persons who share no name."""
    return [person(d) for _ in range(count)]
