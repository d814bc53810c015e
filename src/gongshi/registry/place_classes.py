"""Classes of places after GB 37300-2018, numbered by this platform (governance.md §4.1): PA key public areas, KT trades."""

from gongshi.kit.i18n import Text

_AREAS = (
    Text("省市县际道路出入口和检查站", "Road entrances and checkpoints between provinces, cities and counties"),
    Text("城镇、村庄主要出入口", "Main entrances of towns and villages"),
    Text("主要道路和路口", "Main roads and crossings"),
    Text("大型桥梁、隧道、地下通道、过街天桥", "Large bridges, tunnels, underpasses and footbridges"),
    Text("广场和人员聚集场所", "Squares and gathering places"),
    Text("步行街、商业街", "Pedestrian and commercial streets"),
    Text("交通枢纽周边", "Surroundings of transport hubs"),
    Text("重点单位周边", "Surroundings of key units"),
    Text("边境、口岸、海岸沿线", "Border, port and coast lines"),
    Text("治安复杂区域", "Public-order complex areas"),
    Text("景区出入口", "Entrances of scenic areas"),
    Text("标志性建筑周边", "Surroundings of landmarks"),
)
_TRADES = (
    Text("党政机关", "Party and government organs"),
    Text("新闻广电", "Press and broadcasting"),
    Text("电信邮政", "Telecom and post"),
    Text("金融网点", "Finance outlets"),
    Text("能源和水电气热供应", "Supply of energy, water, power, gas and heat"),
    Text("大型储备库、商贸中心", "Large reserves and trade centres"),
    Text("学校、幼儿园", "Schools and kindergartens"),
    Text("医院", "Hospitals"),
    Text("博物馆、档案馆、文物单位", "Museums, archives and relic units"),
    Text("机场、港口、车站、地铁", "Airports, ports, stations and metro"),
    Text("公交站、停车场", "Bus stops and car parks"),
    Text("宾馆、娱乐场所、网吧", "Hotels, entertainment and net cafes"),
    Text("体育文化场馆", "Sports and cultural venues"),
    Text("公园、旅游景点", "Parks and tourist sites"),
    Text("宗教场所", "Religious sites"),
    Text("居民小区", "Residential areas"),
    Text("加油加气站", "Filling stations"),
    Text("危险物品单位", "Dangerous-goods units"),
    Text("重点工程工地", "Key construction sites"),
    Text("物流快递", "Logistics and express"),
)
PLACE_CLASSES = {
    f"{kind}-{number:02d}": name
    for kind, names in (("PA", _AREAS), ("KT", _TRADES))
    for number, name in enumerate(names, start=1)
}
"""By code, in the order of the standard."""
