"""Words of questions about whole videos, and of questions about one place in them.

Each line is an alternation of a regular expression, matched from the start of a word on where the
writing has spaces; case and accents do not count.
"""

from __future__ import annotations

from typing import Final

_MEDIA: Final = (
    "(?:video|clip|film|movie|lecture|talk|recording|presentation|documentary|episode|show|footage|"
    "tutorial|course|lesson|interview|screencast|stream|vlog|meeting|speech|story|match|game)"
)
WHOLE: Final = {
    "en": f"(?:whole|entire|complete|full) {_MEDIA}|throughout|over the course of|"
    f"from (?:the )?(?:beginning|start) to (?:the )?(?:end|finish)|"
    f"(?:summar\\w+|recap|outline|overview of) (?:this|the|that|my) {_MEDIA}",
    "de": "gesamten?|ganzen? (?:video|film|vortrag)|von anfang bis ende|im (?:laufe|verlauf)",
    "fr": "tout au long|du début à la fin|toute la (?:vidéo|conférence)|au fil",
    "es": "a lo largo|de principio a fin|todo el (?:vídeo|video)",
    "pt": "ao longo|do (?:começo|início) ao fim|todo o vídeo",
    "it": "nel corso|dall.inizio alla fine|tutto il video|intero video",
    "nl": "hele (?:video|film)|van begin tot eind|gedurende de hele",
    "pl": "cał(?:y|ego|ym) (?:film|filmu|nagrani)|od początku do końca",
    "ru": "на протяжении|вс[её]го? видео|от начала до конца",
    "tr": "boyunca|baştan sona|tüm video",
}
"""About all of it, whatever else is named."""
GLOBAL: Final = {
    "en": "summar|overview|recap(?!t)|synopsis|tl;?dr|gist(?!er)|outline|storyline|takeaway|genre|"
    "chronolog|(?:describes?|of) the plot|plot of|"
    "(?:main|primary|overall|central|key|general) (?:topic|theme|idea|point|message|subject|goal|"
    "purpose|objective|character|event|moment|scene|takeaway|content|argument)|overall|in general|"
    f"as a whole|what(?:'s| is| was) (?:this|the|that|it|your|my)?(?: ?{_MEDIA})? ?about|"
    f"describe (?:what happens|the events|this {_MEDIA}|the {_MEDIA})|"
    f"what(?:'s| is)? (?:happens|happening|going on) in (?:this|the) {_MEDIA}|"
    "how many|how often|how frequently|number of (?:times|different|distinct|occurrences|unique)|"
    "total (?:count|number)|in (?:what|which) order|order of (?:the )?(?:event|step|action|scene)|"
    "sequence of|arrange|(?:list|name|enumerate) (?:all|every|each)|over time|"
    r"what can \w+ ?\w* learn|(?:suggest|give|propose|write|find)\b.{0,24}\btitle|"
    f"what (?:kind|type|sort) of {_MEDIA}|mood of|most of the time|on average|moral of|mainly|"
    "mostly|condense|bullet points|count (?:the|all|how)|"
    f"(?:explain|walk me through) (?:this|the) {_MEDIA}|"
    "topics (?:that )?(?:are |were )?(?:covered|discussed|mentioned)|(?:what|which) steps|"
    "what is the story",
    "de": r"zusammenfass|fasse?n?\b.{0,60}\bzusammen|[üu]e?berblick|inhaltsangabe|"
    "worum (?:geht|handelt)|wovon handelt|hauptthema|hauptaussage|kernaussage|hauptidee|"
    "wie viele|wie oft|wie häufig|reihenfolge|insgesamt|im allgemeinen|titel für|"
    "(?:nenne|zähle|liste) alle|welche schritte|lernt man|"
    "was passiert i[nm] (?:dem |diesem )?(?:video|film|clip)",
    "fr": "résum|aperçu|vue d.ensemble|synthèse|de quoi (?:parle|s.agit|traite|est-il)|"
    "(?:thème|sujet|message|but|objectif) (?:principal|général|central)|idée (?:principale|"
    "générale)|combien(?! (?:coûte|vaut|pèse|mesure|ça))|dans quel ordre|ordre des|globalement|"
    "en général|intrigue|titre pour|à quelle fréquence|"
    "quelles (?:sont les )?étapes",
    "es": "resum|sinopsis|visión general|de qué (?:trata|va|habla)|(?:idea|tema|mensaje|propósito|"
    "objetivo) (?:principal|central|general)|cuánt[oa]s|con qué frecuencia|en qué orden|"
    "en general|trama|título para|qué (?:ocurre|pasa) en (?:el|este) (?:vídeo|video)",
    "pt": "resum|sinopse|visão geral|do que (?:se )?(?:trata|fala)|sobre o que|(?:tema|ideia|"
    "mensagem|assunto|objetivo) (?:principal|central|geral)|quant[oa]s|com que frequência|"
    "(?:em|de) que ordem|em geral|enredo|título para",
    "it": "riassu|sintesi|sintetizza|panoramica|di (?:che )?cosa (?:parla|tratta)|di che parla|"
    "(?:tema|idea|messaggio|argomento|scopo) (?:principale|centrale|generale)|quant[ie]|"
    "quanto spesso|in (?:che|quale) ordine|in generale|trama|titolo per",
    "nl": r"samenvat|vat\b.{0,60}\bsamen|overzicht|waar (?:gaat|handelt)\b.{0,40}\bover|waarover|"
    "hoofd(?:boodschap|thema|gedachte|onderwerp|idee)|hoeveel(?! (?:kost|is|weegt))|hoe vaak|"
    "in welke volgorde|volgorde van|in het algemeen|verhaallijn|titel voor",
    "pl": r"podsum|streszcz|przegląd|o czym (?:jest|opowiada)|główn\w+ (?:temat|myśl|ide|przesł)|"
    r"ile\b(?! (?:kosztuj|waży))|jak często|w jakiej kolejności|kolejność|ogólnie|fabuł",
    "ru": "резюм|перескаж|пересказ|обзор|краткое (?:содержание|изложение)|подытож|обобщ|"
    "о чём (?:это|видео|фильм|ролик|лекци|доклад|рассказ)|(?:главн|основн)\\w+ (?:мысль|тема|идея)|"
    "сколько(?! (?:стоит|весит))|как часто|в каком порядке|последовательност|в целом|сюжет",
    "tr": r"özet|genel bakış|ne hakkında|neyle ilgili|konusu ne|ana (?:fikir|tema|konu|mesaj|"
    r"düşünce)|kaç\b(?! (?:lira|para|yaş|dolar))|ne sıklıkla|(?:hangi|ne) sırayla|genel olarak",
}
"""About all of it, unless the question names a place in the video."""
GLOBAL_WITHOUT_SPACES: Final = {
    "zh": "总结|總結|概括|概述|总览|總覽|摘要|大意|梗概|"
    "主要(?:讲|講|内容|內容|讨论|观点|觀點|信息|目的)|主题|主題|主旨|中心思想|讲了什么|講了什麼|讲的是什么|关于什么|關於什麼|多少(?!钱|錢)|"
    "[几幾][次个個人种種位辆輛只条條]|什么顺序|什麼順序|顺序是|順序是|整个视频|整個影片|全程|从头到尾|"
    "情节|情節|剧情|劇情|介[绍紹].{0,8}(?:视频|影片|内容|內容)",
    "ja": "要約|まとめて|概要|あらすじ|何について|テーマ|主題|主旨|主な(?:内容|目的|論点)|"
    "何人|何回|何個|何種類|いくつ|どのくらいの頻度|順番|順序|動画全体|最初から最後まで|ジャンル|ストーリー",
    "ko": "요약|개요|줄거리|무엇에 (?:관한|대한)|무슨 내용|어떤 내용|주제|요점|"
    "핵심 (?:내용|메시지)|전체적|전반적|몇 (?:명|번|개|가지|마리|대)|"
    "얼마나 자주|순서|처음부터 끝까지|장르",
    "ar": "لخص|ملخص|تلخيص|نظرة عامة|عن ماذا|عم يتحدث|حول ماذا|الفكرة الرئيسية|الموضوع الرئيسي|"
    "الرسالة الرئيسية|كم عدد|كم مرة|بأي ترتيب|طوال|بشكل عام|من البداية إلى النهاية",
    "hi": "सारांश|संक्षेप|अवलोकन|किस बारे में|किसके बारे में|मुख्य (?:विषय|विचार|संदेश|बात|उद्देश्य)|"
    "कितने(?! (?:का|रुपय))|कितनी बार|किस क्रम|पूरे वीडियो|शुरू से अंत|कुल मिलाकर",
}
PLACE: Final = {
    "en": r"when\b|while|at \d|\d+:\d\d|"
    "(?:at|during) (?:the|that|which|what) (?:moment|point|time)|as soon as|"
    "(?:right|just|immediately) (?:after|before)|"
    r"(?:scene|part|shot|frame|section|moment) (?:where|when|in which|that|with)|"
    r"(?:the|this|that|which|first|second|third|last|next) (?:[\w-]+ )?slide|"
    r"(?:on|in) (?:the|a|an|this|that|his|her) (?:[\w-]+ ){0,2}(?:slide|screen|board|whiteboard|"
    "blackboard|chart|table|desk|shelf|page|sign|poster|card|wall|map|diagram|dialog|window|menu|"
    "picture|photo)",
    "de": "wann|szene, in|in der szene|als (?:er|sie|es|der|die|das)|während|nachdem|bevor|"
    r"auf (?:dem|der|den|einem|einer) (?:\w+ )?(?:folie|schild|tafel|bildschirm|tisch|karte|plakat|"
    r"seite)|auf folie|bei minute|kurz (?:vor|nach)",
    "fr": "quand|lorsque|au moment|pendant que|dans la scène|juste (?:avant|après)|"
    "sur (?:le |la |l.)(?:diapo|tableau|écran|panneau|table|affiche|page|carte)|"
    "à la (?:minute|seconde)",
    "es": "cuándo|cuando|en la escena|mientras|en (?:el|la) (?:diapositiva|pizarra|cartel|pantalla|"
    r"mesa|tarjeta|página|momento)|justo (?:antes|después)|en el minuto|sobre la mesa",
    "pt": "quando|na cena|enquanto|n[oa] (?:slide|quadro|lousa|placa|tela|mesa|cartaz|página|"
    "momento)|logo (?:após|antes|depois)",
    "it": "quando|nella scena|mentre|su(?:l|lla|llo|ll.) ?(?:lavagna|cartello|schermo|tavol|slide|"
    "pagina|diapositiva)|nel momento|subito (?:dopo|prima)",
    "nl": r"wanneer|in de scène|terwijl|op (?:het|de) (?:\w+ )?(?:bord|scherm|dia|tafel|poster|"
    "pagina|kaart|moment)|net (?:voor|na)",
    "pl": "kiedy|w scenie|podczas gdy|na (?:tablicy|slajdzie|ekranie|stole|plakacie|stronie)|"
    "w momencie|tuż (?:po|przed)",
    "ru": "когда|в сцене|в тот момент|на (?:доске|слайде|экране|столе|плакате|странице)|"
    "сразу (?:после|перед)",
    "tr": "ne zaman|sahnede|sırasında|ekranda|tahtada|slaytta|masada|hemen (?:sonra|önce)",
}
"""A place in the video that the question is about."""
PLACE_WITHOUT_SPACES: Final = {
    "zh": "什么时候|什麼時候|何时|何時|的时候|的時候|场景中|場景中|幻灯片|黑板上|屏幕上|"
    "桌子?上|之后|之後|之前",
    "ja": "いつ|瞬間|ときに|時に|場面で|シーンで|黒板に|スライド|画面に|机の上|"
    "テーブルの上|直後|直前",
    "ko": "언제|순간| 때(?!문)|장면에서|칠판|슬라이드|화면에|테이블 위|직후|직전",
    "ar": "متى|عندما|في المشهد|أثناء|على السبورة|على الشاشة|على الطاولة|بعد أن|قبل أن",
    "hi": "कब |जब |दृश्य में|के दौरान|बोर्ड पर|स्क्रीन पर|मेज़ पर",
}
