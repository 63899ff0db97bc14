"""The words of sample rows, and how to draw from them without repeating a name."""

from math import prod


def _words(text: str) -> list[str]:
    return text.split()


def _phrases(text: str) -> list[str]:
    return [" ".join(phrase.split()) for phrase in text.split("|")]


GIVEN = _words(
    """
    Aaliyah Agnès Aisha Alejandra Alice Amara Amelia Andrés Anna Anthony Ariana Ashok Beatriz
    Benedikt Björn Brandon Bridget Camille Carlos Caroline Chiara Chloë Clara Connor Daniela
    Darnell David Deepa Dennis Désirée Dmitri Dolores Eduardo Eileen Elijah Emeka Emily Erika
    Esteban Fatima Felipe Fiona François Gabriela George Giulia Grace Gustavo Hannah Hassan
    Heather Hiroshi Ingrid Isaac Isabel Ivana Jamal Jasmine Javier Jürgen Joanna Jorge José
    Julian Kaitlyn Karim Katarzyna Keiko Kenneth Lakshmi Lars Laura Leila Leonard Lucía Łukasz
    Maeve Malik Marcel Margaret María Marisol Matthew Mei Mercedes Miguel Mikkel Mireille
    Nadia Naomi Natasha Nikolai Noor Oksana Olivia Omar Oscar Paloma Patrick Penelope Pierre
    Priya Quentin Rachel Rafael Ramón Rebecca Renée Ricardo Rosa Ruth Samuel Santiago Sasha
    Sebastián Shanice Siobhán Sofía Søren Stefan Sunita Sven Tamara Thandiwe Thérèse Thomas
    Tomás Ursula Valentina Victor Wanda Wei William Ximena Yasmin Yolanda Yusuf Zachary Zoë
    """
)
FAMILY = _words(
    """
    Abernathy Achebe Adeyemi Ahmed Alvarez Ambrose Andersson Åkesson Baptiste Barnett Beaumont
    Becker Björkman Blackwood Bouchard Brennan Caldwell Castañeda Chandra Cho Çelik D'Angelo
    Dávila Delgado Donovan Dubois Eberhardt Ekström Ellington Espinoza Fairbanks Farouk
    Fernández Fitzgerald Fontaine Fujimoto Gallagher García Geller Goldberg Gómez González
    Grimaldi Gupta Hadley Hagen Hallström Hartley Hawkins Hernández Hirsch Holloway Horváth
    Ibrahim Iglesias Ivanova Jablonski Jankowski Jimenez Johansson Kapoor Kavanagh Keller
    Kobayashi Kovač Kowalczyk Lachance Lafleur Larsson Lauterbach Lindqvist Lombardi López
    Löwe MacLeod Mahmoud Marchetti Martínez Mbeki Melton Mensah Michaud Moreau Müller Nakamura
    Navarro Nguyễn Nielsen Novák Núñez O'Brien O'Neil Okafor Olsen Ortega Østergaard
    Papadopoulos Parekh Patel Paulsen Peñaloza Pham Popescu Quigley Quiñones Rademacher
    Ramírez Rasmussen Reyes Richter Rojas Rousseau Ruiz Sandoval Santos Schäfer Schröder
    Serrano Sharma Šimić Sinclair Sokolov Sørensen Stavros Sullivan Suárez Takahashi Tanaka
    Thibault Tillou Torres Trần Ueda Valdez Vargas Vasquez Vogel Wachowski Wakefield Weiskopf
    Whelan Winterbourne Yamada Yilmaz Zamora Zieliński
    """
)
TRADES = _phrases(
    """
    Architects | Auto Repair | Bakery | Bookkeeping | Brewing | Cabinetry | Café | Carpentry |
    Catering | Chiropractic | Cleaning | Coffee Roasters | Construction | Consulting | Courier
    | Dance Studio | Dental Care | Design | Diner | Dry Cleaners | Electric | Events | Family
    Farm | Fitness | Flooring | Florist | Framing | Freight | Furniture | Garden Center |
    Glass | Hardware | Home Care | Insurance | Interiors | Jewelers | Landscaping | Legal |
    Logistics | Machine Works | Marine | Masonry | Medical Supplies | Music School | Nursery |
    Optical | Orchards | Outfitters | Painting | Pâtisserie | Pet Clinic | Pharmacy |
    Photography | Plumbing | Pools | Pottery | Printing | Property Management | Realty |
    Roofing | Salon | Seafood | Security | Solar | Sporting Goods | Tailoring | Textiles |
    Tile | Travel | Upholstery | Veterinary | Vineyards | Welding | Wellness | Windows |
    Woodworks
    """
)
BUSINESS_FORMS = (
    "{family} {trade}",
    "{family} & Sons {trade}",
    "{family} {trade}, Inc.",
    "{family} {trade} LLC",
    "{trade} by {family}",
    "{family} Brothers {trade}",
    "{family} and Daughters {trade}",
    "{family} {trade} Group",
    "{family} {trade} Co.",
)
STREETS = _phrases(
    """
    Acacia Court | Alder Lane | Bay Street | Birchwood Drive | Canyon Road | Cedar Avenue |
    Chestnut Street | Cypress Hill Avenue | Dogwood Lane | Easy Street | Elm Street | Ferry
    Road | Foothill Boulevard | Garden Way | Grove Street | Harbor Drive | Hawthorne Avenue |
    Highland Road | Ivy Lane | Juniper Court | Lake Shore Drive | Laurel Street | Lincoln
    Avenue | Magnolia Drive | Main Street | Maple Avenue | Market Street | Meadow Lane | Mill
    Road | Mission Street | Mountain View Drive | Oak Street | Ocean View Road | Orchard Lane
    | Park Avenue | Pine Street | Pleasant Hill Road | Poplar Court | Prospect Street | Quarry
    Road | Redwood Drive | River Road | Rose Lane | School Street | Spring Street | Spruce
    Avenue | Station Road | Sunset Boulevard | Sycamore Street | Terrace Drive | Twin Lane |
    Union Street | Valley Road | Vine Street | Walnut Avenue | Washington Street | Water
    Street | Willow Road | Windmill Lane | Woodland Drive
    """
)
CITIES = (
    ("Albuquerque", "NM", "871", "35.0844", "-106.6504", "505"),
    ("Ann Arbor", "MI", "481", "42.2808", "-83.7430", "734"),
    ("Asheville", "NC", "288", "35.5951", "-82.5515", "828"),
    ("Austin", "TX", "787", "30.2672", "-97.7431", "512"),
    ("Bayshore", "CA", "943", "37.4443", "-122.1598", "650"),
    ("Boise", "ID", "837", "43.6150", "-116.2023", "208"),
    ("Boston", "MA", "021", "42.3601", "-71.0589", "617"),
    ("Boulder", "CO", "803", "40.0150", "-105.2705", "303"),
    ("Burlington", "VT", "054", "44.4759", "-73.2121", "802"),
    ("Chicago", "IL", "606", "41.8781", "-87.6298", "312"),
    ("Cleveland", "OH", "441", "41.4993", "-81.6944", "216"),
    ("Des Moines", "IA", "503", "41.5868", "-93.6250", "515"),
    ("Eugene", "OR", "974", "44.0521", "-123.0868", "541"),
    ("Half Moon Bay", "CA", "940", "37.4636", "-122.4286", "650"),
    ("Honolulu", "HI", "968", "21.3069", "-157.8583", "808"),
    ("Madison", "WI", "537", "43.0731", "-89.4012", "608"),
    ("Maplewood", "NJ", "070", "40.7312", "-74.2735", "973"),
    ("Menlo Park", "CA", "940", "37.4530", "-122.1817", "650"),
    ("Minneapolis", "MN", "554", "44.9778", "-93.2650", "612"),
    ("Nashville", "TN", "372", "36.1627", "-86.7816", "615"),
    ("New Orleans", "LA", "701", "29.9511", "-90.0715", "504"),
    ("Omaha", "NE", "681", "41.2565", "-95.9345", "402"),
    ("Philadelphia", "PA", "191", "39.9526", "-75.1652", "215"),
    ("Portland", "ME", "041", "43.6591", "-70.2568", "207"),
    ("Providence", "RI", "029", "41.8240", "-71.4128", "401"),
    ("Sacramento", "CA", "958", "38.5816", "-121.4944", "916"),
    ("Santa Fe", "NM", "875", "35.6870", "-105.9378", "505"),
    ("Savannah", "GA", "314", "32.0809", "-81.0912", "912"),
    ("Seattle", "WA", "981", "47.6062", "-122.3321", "206"),
    ("Tucson", "AZ", "857", "32.2226", "-110.9747", "520"),
)
PROJECTS = _phrases(
    """
    Backyard Patio | Bathroom Remodel | Deck Repair | Driveway | Fence | Fountain | Front
    Garden | Garage | Greenhouse | Irrigation | Kitchen Remodel | Lighting | New Roof | Office
    Refit | Pool | Retaining Wall | Solar Panels | Tree Removal
    """
)
SUPPLIES = _phrases(
    """
    Brick & Block | Equipment Rental | Fasteners | Hauling | Lumber | Paving Supply | Pipe &
    Fittings | Quarry | Seed Company | Sod Farm | Tool Wholesale | Turf Supply | Utilities
    """
)
CATEGORIES = _phrases(
    """
    Fountains | Garden Tools | Irrigation | Lighting | Masonry | Outdoor Furniture | Pest
    Control | Plants | Pots & Planters | Seasonal | Soil & Mulch | Trees
    """
)
MATERIALS = _phrases(
    """
    Aluminum | Bamboo | Bluestone | Brass | Cast Iron | Cedar | Ceramic | Copper | Glass |
    Granite | Limestone | Marble | Oak | Recycled | Redwood | Sandstone | Slate | Solar |
    Stainless | Steel | Teak | Terracotta | Willow | Zinc
    """
)
GOODS = _phrases(
    """
    Arbor | Bench | Bird Bath | Bollard Light | Compost Bin | Edging | Fire Pit | Fountain |
    Garden Gate | Garden Rocks | Hose Reel | Lantern | Obelisk | Paver | Path Light | Pergola
    Kit | Planter | Pump | Rain Barrel | Screen | Side Table | Sprinkler Head | Stepping Stone
    | Trellis | Trough | Urn | Watering Can | Wind Chime
    """
)
FREQUENCIES = _words(
    """
    Annual Biweekly Emergency Hourly Monthly One-Time Quarterly Seasonal Spring Weekly
    """
)
SERVICES = _phrases(
    """
    Aeration | Composting | Concrete Work | Design Consultation | Drainage Check | Fertilizing
    | Fountain Installation | Garden Care | Hedge Trimming | Irrigation Service | Lawn Mowing
    | Lighting Maintenance | Pest Control | Planting | Pruning | Refuse Removal | Snow
    Clearing | Soil Testing | Stone Setting | Tree Care | Weeding | Winterizing
    """
)
NOTES = (
    "Prefers to be called in the afternoon.",
    "Gate code is with the office.",
    "Pays by check; send a paper copy.",
    "Asks for a quote before every job.",
    "Dog in the yard: ring first.\nBack entrance for deliveries.",
)


class Combinations:
    """Every combination of one word from each list, in a mixed order that never repeats.

    The order depends on the seed only, so the n-th draw is the same in a company of any size.
    """

    def __init__(self, seed: int, *sizes: int) -> None:
        self._sizes = sizes
        self.count = prod(sizes)
        self._bits = max(1, (self.count - 1).bit_length() // 2 + 1)
        self._seed = seed

    def draw(self, number: int) -> tuple[list[int], int]:
        """The places in the lists of the n-th draw, and how often all had been drawn before it."""
        round, place = divmod(number, self.count)
        at = self._mixed(place)
        while at >= self.count:
            at = self._mixed(at)
        places = []
        for size in self._sizes:
            at, within = divmod(at, size)
            places.append(within)
        return places, round

    def _mixed(self, number: int) -> int:
        """A Feistel network: one to one, so nothing repeats, and without a visible pattern."""
        mask = (1 << self._bits) - 1
        left, right = number >> self._bits, number & mask
        for turn in range(4):
            left, right = right, left ^ (hash((self._seed, turn, right)) >> 7 & mask)
        return left << self._bits | right
