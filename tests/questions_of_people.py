"""Questions in other words than those of the tests beside, with what each is about."""

GLOBAL = """
Can you condense this hour into five bullet points?
I missed the meeting, what did I miss?
Which statement best captures the video's central argument?
What does the speaker mainly argue?
How would you characterise the overall atmosphere?
Count the people who enter the building.
What steps does the tutorial go through, in order?
Who are the main characters?
What's going on in this clip?
How many times does the phone ring?
Is the recording mostly indoors or outdoors?
What is the sequence of the exercises?
What are the different topics covered in the course?
Name all the tools that are used.
Which team wins in the end, and how did the match develop?
What can I learn from this webinar?
Explain the video to me.
What is the story here?
Was lernt man in diesem Kurs?
Kannst du mir den Inhalt kurz zusammenfassen?
Wie oft fällt das Wort Budget?
Nenne alle Werkzeuge, die benutzt werden.
Peux-tu me faire une synthèse de la réunion ?
Combien de fois le chien saute-t-il ?
Quelles sont les étapes de la recette ?
Hazme un resumen de la reunión
¿Cuántos jugadores hay?
Quantas vezes o telefone toca?
Quante volte suona il telefono?
Geef een korte samenvatting van de vergadering
Ile razy dzwoni telefon?
Сделай краткое содержание встречи
Toplantının özetini çıkar
简单介绍一下这段视频的内容
電話は何回鳴りますか
회의 내용을 요약해줘
كم مرة رن الهاتف؟
फ़ोन कितनी बार बजता है?
"""
LOCAL = """
What is the price shown next to the blue jacket?
What does the woman in the red coat pick up?
Is the stove on or off after the soup is served?
Whose name appears in the email header?
What error message pops up?
Which city is mentioned in the weather report?
What does the chart say about 2021?
What did the host hold in her left hand?
What is the license plate of the van?
Where is the fire extinguisher?
Which number comes after the ad break?
What's the third ingredient?
How tall is the tower according to the caption?
Who scored the equaliser?
What is the weather like in the opening shot?
What font is used for the logo?
Does the cat jump onto the sofa?
How many windows does the house on the poster have?
What is on the plate that the waiter brings?
Why does the boy start crying?
Was kostet das Ticket laut Anzeige?
Wer hält die rote Fahne?
Welcher Fehler wird angezeigt?
Que tient la femme dans la main gauche ?
Combien coûte le billet ?
¿Qué mensaje de error aparece?
¿Quién lleva el sombrero?
Qual é o número do ônibus?
Chi tiene la bandiera rossa?
Hoeveel kost het kaartje?
Ile kosztuje bilet?
Сколько стоит билет?
Biletin fiyatı nedir?
票价是多少钱？
エラーメッセージは何ですか
버스 번호는 무엇인가요?
ما رقم الحافلة؟
बस का नंबर क्या है?
"""


def cases():
    """Yields each question with its scope."""
    for scope, questions in (("global", GLOBAL), ("local", LOCAL)):
        for question in questions.strip().splitlines():
            yield question, scope
