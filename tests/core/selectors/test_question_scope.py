"""Which questions are about a whole video, and which about some moment of it."""

import unicodedata

import pytest

import questions_of_people
from framesift.selectors.question_scope import scope_of

GLOBAL = {
    "en": [
        "Summarize the video.",
        "What is this lecture about?",
        "Could you give me a short overview of the talk?",
        "What's the main message of the clip?",
        "How many goals were scored?",
        "Which genre does this film belong to?",
        "In what order are the ingredients added?",
        "List every feature that is demonstrated.",
        "How does the mood change over the course of the documentary?",
        "tl;dr",
        "Describe what happens in this recording",
        "Throughout the whole match, which team dominates?",
        "What are the key takeaways?",
        "Suggest a title for this video.",
        "How often does the narrator laugh?",
        "What can viewers learn from it overall?",
        "Which of the following best describes the plot?",
        "What is the primary purpose of the video?",
        "Arrange the following events in chronological order.",
        "What is the total count of occurrences of the 'jumping' action?",
    ],
    "de": [
        "Fasse das Video zusammen.",
        "Worum geht es in diesem Vortrag?",
        "Gib mir einen Überblick über die Präsentation.",
        "Was ist das Hauptthema?",
        "Wie viele Personen kommen vor?",
        "In welcher Reihenfolge werden die Zutaten hinzugefügt?",
        "Wie entwickelt sich die Stimmung im Laufe des Films?",
    ],
    "fr": [
        "Résume la vidéo.",
        "De quoi parle cette conférence ?",
        "Quel est le thème principal ?",
        "Combien de personnages apparaissent ?",
        "Dans quel ordre les étapes sont-elles montrées ?",
        "Fais-moi un aperçu de l'exposé.",
    ],
    "es": [
        "Resume el vídeo.",
        "¿De qué trata esta charla?",
        "¿Cuál es la idea principal?",
        "¿Cuántas veces salta el perro?",
        "¿En qué orden aparecen los objetos?",
        "Dame una visión general de la clase.",
    ],
    "pt": [
        "Resuma o vídeo.",
        "Do que se trata esta palestra?",
        "Qual é o tema principal?",
        "Quantos carros aparecem?",
        "Em que ordem as etapas são mostradas?",
    ],
    "it": [
        "Riassumi il video.",
        "Di cosa parla questa lezione?",
        "Qual è il tema principale?",
        "Quante persone compaiono?",
        "In che ordine vengono aggiunti gli ingredienti?",
    ],
    "nl": [
        "Vat de video samen.",
        "Waar gaat deze lezing over?",
        "Wat is de hoofdboodschap?",
        "Hoeveel mensen komen er voor?",
        "In welke volgorde worden de stappen getoond?",
    ],
    "pl": [
        "Podsumuj film.",
        "O czym jest ten wykład?",
        "Jaki jest główny temat?",
        "Ile osób występuje?",
        "W jakiej kolejności pokazano kroki?",
    ],
    "ru": [
        "Кратко перескажи видео.",
        "О чём это видео?",
        "Какова главная мысль лекции?",
        "Сколько человек появляется?",
        "В каком порядке показаны шаги?",
    ],
    "tr": [
        "Videoyu özetle.",
        "Bu konuşma ne hakkında?",
        "Ana fikir nedir?",
        "Kaç kişi görünüyor?",
        "Adımlar hangi sırayla gösteriliyor?",
    ],
    "zh": [
        "总结一下这个视频。",
        "这个讲座主要讲了什么？",
        "视频的主题是什么？",
        "一共出现了多少人？",
        "步骤的顺序是什么？",
    ],
    "ja": [
        "この動画を要約してください。",
        "この講義は何についてですか？",
        "主なテーマは何ですか？",
        "何人が登場しますか？",
        "手順はどの順番で示されますか？",
    ],
    "ko": [
        "이 영상을 요약해 주세요.",
        "이 강의는 무엇에 관한 것인가요?",
        "주제는 무엇인가요?",
        "몇 명이 등장하나요?",
        "단계는 어떤 순서로 나오나요?",
    ],
    "ar": [
        "لخص الفيديو.",
        "عن ماذا يتحدث هذا الفيديو؟",
        "ما هي الفكرة الرئيسية؟",
        "كم عدد الأشخاص الذين يظهرون؟",
    ],
    "hi": [
        "इस वीडियो का सारांश दीजिए।",
        "यह वीडियो किस बारे में है?",
        "मुख्य विषय क्या है?",
        "कितने लोग दिखाई देते हैं?",
    ],
}
LOCAL = {
    "en": [
        "What color is the car that passes at night?",
        "What does the slide about pricing say?",
        "Who opens the door?",
        "When does the teacher write the formula?",
        "What is written on the whiteboard at 3:15?",
        "What happens right after the glass breaks?",
        "Which button does she press to export the file?",
        "Is there a dog next to the bench?",
        "How many apples are on the table in the scene where he cuts the bread?",
        'What is shown while she says "main idea"?',
        "What is the phone number on the poster?",
        "What is the title of the third slide?",
        "Summarize the slide with the red chart.",
        "Where does the man put his keys?",
        "What is the name of the file being opened?",
        "How much does the small coffee cost?",
        "Did the referee show a yellow card?",
        "What changes in the settings dialog after he clicks Apply?",
    ],
    "de": [
        "Welche Farbe hat das Auto?",
        "Was steht auf dem Schild?",
        "Wann öffnet er die Tür?",
        "Wie viele Äpfel liegen in der Szene, in der er Brot schneidet, auf dem Tisch?",
        "Welche Telefonnummer wird eingeblendet?",
    ],
    "fr": [
        "De quelle couleur est la voiture ?",
        "Qu'est-ce qui est écrit sur le tableau ?",
        "Quand ouvre-t-il la porte ?",
        "Quel bouton presse-t-elle ?",
    ],
    "es": [
        "¿De qué color es el coche?",
        "¿Qué dice el cartel?",
        "¿Cuándo abre la puerta?",
        "¿Qué botón pulsa ella?",
    ],
    "pt": ["De que cor é o carro?", "O que está escrito no quadro?", "Quando ele abre a porta?"],
    "it": [
        "Di che colore è la macchina?",
        "Cosa c'è scritto sul cartello?",
        "Quando apre la porta?",
    ],
    "nl": ["Welke kleur heeft de auto?", "Wat staat er op het bord?", "Wanneer opent hij de deur?"],
    "pl": ["Jakiego koloru jest samochód?", "Co jest napisane na tablicy?", "Kiedy otwiera drzwi?"],
    "ru": ["Какого цвета машина?", "Что написано на доске?", "Когда он открывает дверь?"],
    "tr": ["Araba ne renk?", "Tahtada ne yazıyor?", "Kapıyı ne zaman açıyor?"],
    "zh": ["汽车是什么颜色的？", "黑板上写着什么？", "他什么时候开门？"],
    "ja": ["車は何色ですか？", "黒板に何と書いてありますか？", "彼はいつドアを開けますか？"],
    "ko": ["자동차는 무슨 색인가요?", "칠판에 뭐라고 쓰여 있나요?", "그는 언제 문을 여나요?"],
    "ar": ["ما لون السيارة؟", "ماذا كتب على السبورة؟", "متى يفتح الباب؟"],
    "hi": ["कार का रंग क्या है?", "बोर्ड पर क्या लिखा है?", "वह दरवाज़ा कब खोलता है?"],
}
CASES = [
    (scope, language, question)
    for scope, languages in (("global", GLOBAL), ("local", LOCAL))
    for language, questions in languages.items()
    for question in questions
]


@pytest.mark.parametrize(("scope", "language", "question"), CASES)
def test_a_question_is_about_all_of_the_video_or_a_part(scope, language, question):
    assert scope_of(question).scope == scope


@pytest.mark.parametrize("change", [str.upper, str.lower, lambda text: f"  {text}\n"])
def test_case_and_spaces_do_not_matter(change):
    for scope, _, question in CASES:
        assert scope_of(change(question)).scope == scope, question


def test_accents_may_be_composed_or_left_out():

    for question in ("Résume la vidéo.", "Resume la video.", "Fasse das Video zusammen."):
        assert scope_of(unicodedata.normalize("NFD", question)).scope == "global"


def test_the_reason_names_the_words_that_decided():
    assert "summar" in scope_of("Please SUMMARIZE the video").reason
    assert "nothing in it" in scope_of("Who opens the door?").reason


@pytest.mark.parametrize("text", ["", "?", "42", "🙂", "x" * 100_000, "how " * 50_000])
def test_any_text_is_placed_at_once(text):
    assert scope_of(text).scope == "local"


def test_most_questions_in_other_words_are_placed_and_no_local_one_is_taken_for_global():
    right = {"global": [], "local": []}
    for question, scope in questions_of_people.cases():
        right[scope].append(scope_of(question).scope == scope)
    assert all(right["local"])
    assert sum(right["global"]) >= 0.85 * len(right["global"])
