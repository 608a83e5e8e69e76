"""Pools of invented names: people from many cultures and towns in several sound patterns."""

from __future__ import annotations

# women's first names | men's first names | surnames
_CULTURES = """
Ines Leonor Marisa Beatriz Catarina | Duarte Nuno Gaspar Tomas Rui |
Valadares Pimentel Quaresma Lobato Serrano Teles
Astrid Solveig Ingrid Ragna Tuva | Eirik Halvard Sindre Torbjorn Leif |
Nordgaard Fossum Bakketun Helland Myrvold Lien
Ama Efua Abena Akosua Yaa | Kwesi Kofi Yaw Kojo Ebo |
Asamoah Boakye Dankwa Ofori Sarpong Tetteh
Aiko Haruka Sayuri Mio Chie | Daichi Kenta Shun Noboru Takeo |
Hayasaka Morinaga Tsukamoto Okabe Shirai Nagase
Meera Lakshmi Anjali Kavya Sunita | Arjun Vikram Harish Naveen Sanjay |
Deshmukh Iyengar Kulkarni Menon Rathore Bhandari
Oksana Halyna Daryna Lesia Zoya | Taras Bohdan Ostap Danylo Yurko |
Hrytsenko Kovalenko Melnyk Bondar Sydoruk Tkach
Leyla Elif Defne Nuray Sevgi | Emre Kerem Orhan Tarik Volkan |
Aydemir Karatas Ozkaya Yilderim Sahinoglu Tuncel
Fionnuala Niamh Aisling Orla Maeve | Cormac Eoin Padraig Declan Fergal |
Dunleavy Kinsella Mulcahy Rafferty Tierney Geraghty
Nomvula Thandiwe Zanele Lindiwe Ayanda | Sipho Themba Bheki Mandla Jabu |
Mkhize Dlomo Khanyile Ngubane Zwane Mthembu
Camila Ximena Valentina Rocio Paloma | Joaquin Esteban Ramiro Hernan Octavio |
Arrieta Bustamante Cifuentes Olmedo Villarreal Quiroga
Wei-Ling Mei Xiulan Jing Yun | Haoran Jianyu Zhiming Bowen Shaoqi |
Ouyang Shen Tang Qian Liang Xue
Marta Agnieszka Zofia Halina Danuta | Wojciech Kazimierz Tadeusz Marcin Zbigniew |
Gorecki Wisniak Sadowski Lipinski Pawlak Zaremba
Hana Mariam Salma Nadia Rania | Karim Youssef Tarek Hicham Samir |
Benhaddou Chraibi El-Fassi Mansouri Tazi Zerhouni
Harriet Edith Philippa Rosalind Winifred | Alistair Rupert Graham Clement Desmond |
Pennington Ashdown Thackery Winslade Holroyd Castleton
Kaisa Aino Helmi Tuuli Riikka | Juhani Pekka Oskari Veikko Matti |
Lehtola Koskimaa Saarelainen Rautio Heikkila Virtala
Mahina Talia Lani Sina Moana | Tavita Sione Keoni Manu Ioane |
Faleolo Taufua Kealoha Leota Tuilagi Vaea
Margit Ilse Friederike Gudrun Annelie | Gerhard Ulrich Lothar Matthias Konrad |
Brandhuber Eichler Hufnagel Lindner Pfeiffer Steinbach
Chiara Ludovica Rosanna Ginevra Elisa | Ruggero Tiziano Corrado Ettore Silvano |
Bellandi Carminati Fontanesi Morandin Rizzuto Salvemini
"""


def _words(table: str, width: int) -> list[tuple[tuple[str, ...], ...]]:
    """Return the rows of a table whose cells end in a bar or a line break."""
    cells = [tuple(cell.split()) for cell in table.strip().replace("|\n", "|").replace("\n", "|").split("|")]
    return [tuple(cells[i : i + width]) for i in range(0, len(cells), width)]


PEOPLE = _words(_CULTURES, 3)

# beginnings | endings, one sound pattern a line; the first line is the commonest
_SOUNDS = """
Merrow Quill Tarn Skel Bram Olden Wither Pell Drum Corran Hask Lorn Fenni Garrow Ember Raven Sorrel |
wick mouth ford stead haven by holm combe moor gate bury field
Tor Skar Bjarn Hest Myr Lang Stav Ulv Gran Rev | vik sund nes havn dal fjell
Vila Monte Porto Ribeira Alde Casta Serra Fonte Paso | dora marno selva rosal verin zela
Bor Velk Zagor Lip Dubr Krasn Star Jas Mir | ovice inka anovo enica ograd
Aka Bondo Kume Tama Ofo Nkwan Asan Wiri Bele | sua kro fie wora mase
Kita Minami Haya Tsuru Mori Ara Shira Kuro Nishi | zaki hara numa gawa shima
Llan Aber Inver Dun Kil Bal Glen Tre Pen | wenna carron morlas brae tarrow
Chandra Raja Devi Sona Manik Hari Surya Nila Amba | pur garh nagar pally vada
Kara Gul Yesil Deniz Altin Bey Sari Tash Uzun | koy bulak tepe dere hisar
Val Rocca Castel Borgo Monte Pieve Torre Fiume Colle | ferro sole verde luna marina
"""

TOWNS = _words(_SOUNDS, 2)
