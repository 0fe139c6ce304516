"""German words of the world. `dynprof.world.lexicon` explains the marks at the start of a line."""

__all__ = ["GERMAN"]

GERMAN = """
= football
der Stürmer; unser Torwart; der neue Trainer; der Kapitän der Gäste; die ganze Abwehr; der junge Flügelspieler
> trifft in der Nachspielzeit; verschießt schon wieder einen Elfmeter; sieht vor der Pause die rote Karte
> gewinnt endlich das Derby; wechselt zum Tabellenführer; fehlt bis zum Pokalfinale
> gehört in den Kader für die Weltmeisterschaft; steht viel zu tief
# fussball bundesliga spieltag
@ Fußballfan seit der Kindheit; Dauerkarte, Reihe 12; Tore, Derbys, Transfergerüchte

= cooking
dieses Zitronenrisotto; Omas Eintopf; das Sauerteigbrot; eine einfache Tomatensoße; das Brathähnchen; dieses Curry
> braucht mehr Knoblauch und Butter; köchelt zwei Stunden auf kleiner Flamme; schmeckt am nächsten Tag noch besser
> passt gut zu frischem Basilikum; kommt mit fünf Zutaten aus; verträgt eine Prise Paprikapulver
> macht sechs Gäste satt; braucht einen heißen Ofen
# kochen rezept lecker
@ Hobbykoch mit Rezeptsammlung; Ich backe zu viel Brot; Gewürze, Soßen, gutes Essen

= space
der Marsrover; das neue Weltraumteleskop; die Trägerrakete; die Mondlandefähre; die Besatzung der Raumstation; die Sonde
> schickt Bilder einer fernen Galaxie; erreicht nach dem Nachtstart die Umlaufbahn; findet Spuren von uraltem Wasser
> bohrt in rotes Gestein; entdeckt einen Exoplaneten; übersteht den Wiedereintritt
> erforscht die Ringe des Saturn; verlässt die Erdumlaufbahn
# raumfahrt weltall astronomie
@ Hobbyastronom; Raketen, Planeten, dunkler Himmel; Warte auf den nächsten Start

= climate
das CO2-Budget; die Erderwärmung; das Meereis der Arktis; der neue Klimabericht; die Hitzewelle
der steigende Meeresspiegel
> bricht jeden Rekord des Jahrhunderts; macht der Klimaforschung Sorgen; verlangt den Ausstieg aus Kohle und Öl
> bedroht Städte an der Küste; verschlimmert Waldbrände und Dürre; ändert sich schneller als in den Modellen
> ist der Grund für den Klimastreik; lässt wenig Zeit für weniger Treibhausgase
# klima klimawandel klimaschutz
@ Klimaschutz im Alltag; Weniger CO2, Schritt für Schritt; Windräder und Gletscher

= elections
die Kandidatin der Opposition; der Bundeskanzler; der Wahlleiter; die Regierungspartei; die Abgeordnete; die Prognose
> gewinnt eine knappe Mehrheit im Bundestag; verspricht den Wählern eine Steuerreform; führt in den Umfragen
> streitet im Fernsehen über Migration; verliert Stimmen in den Ländern; fordert eine neue Auszählung der Stimmzettel
> bildet eine Koalition; stellt sich der Vertrauensfrage
# wahl bundestag politik
@ Politik rund um die Uhr; Zähle Stimmen und Sitze; Beobachterin des Parlaments

= stocks
der Aktienmarkt; die Zentralbank; diese Technologieaktie; die Rendite der Anleihen; der Quartalsbericht; der Hedgefonds
> fällt aus Angst vor der Inflation; überrascht die Anleger an der Börse; erhöht den Druck auf die Zinsen
> übertrifft alle Prognosen; beendet den Handelstag im Minus; macht Dividendenjäger nervös; deutet auf eine Rezession
> erholt sich vor Börsenschluss
# aktien börse finanzen
@ Langfristiger Anleger; Dividenden und Indexfonds; Börse, Zinsen, Kaffee

= crypto
Bitcoin; das Ethereum-Netzwerk; diese Spaßmünze; die Kryptobörse; ein Stablecoin; die Blockchain-Wallet
> stürzt über Nacht um ein Drittel ab; erreicht ein neues Allzeithoch; verliert Token an Hacker
> halbiert die Belohnung beim Schürfen; bewegt Millionen auf der Blockchain; ist ein Spielplatz für Großanleger
> wird von der Aufsicht verboten; zahlt Zinsen auf Kryptowährung
# bitcoin krypto blockchain
@ Kryptofan; Alles dezentral; Bitcoin, Wallets und private Schlüssel

= gaming
der Endboss; dieses Indie-Spiel; die neue Konsole; die offene Spielwelt; das Update für den Mehrspielermodus
das E-Sport-Team
> kostet mich vierzig Stunden; läuft mit sechzig Bildern pro Sekunde; bringt einen Koop-Modus
> lässt seltene Beute fallen
> stürzt beim Laden ab; schwächt meine Lieblingswaffe; gewinnt das Finale des Turniers; hat die beste Pixelgrafik
# gaming zocken esport
@ Zockerin und Speedrunnerin; Rollenspiele und lange Nächte; Ich streame Bosskämpfe

= film
der neue Thriller der Regisseurin; die Hauptdarstellerin; die Fortsetzung; dieser Schwarzweißfilm; das Drehbuch
der Trailer
> gewinnt den Preis für den besten Film; feiert Premiere auf der Berlinale; hat eine Wendung in der letzten Szene
> langweilt die Filmkritik; verdient eine Nominierung für den Oscar; wirkt auf der großen Leinwand wunderbar
> endet vor dem Abspann; rührt das ganze Kino
# film kino berlinale
@ Jeden Freitag im Kino; Filmkritiker ohne Zeitung; Regie, Szenen und Popcorn

= music
die Sängerin; das neue Album der Band; dieses Gitarrensolo; das Streichquartett; der Schlagzeuger; die Schallplatte
> spielt die Zugabe ohne Strom; führt mit einer Ballade die Charts an; klingt auf der Bühne rau und laut
> füllt den Konzertsaal; geht mit einem Jazztrio auf Tournee; wechselt im letzten Refrain die Tonart
> eröffnet das Festival; hat die Melodie des Sommers
# musik konzert neuesalbum
@ Sammle Schallplatten; Ich spiele Bass in einer lauten Band; Konzerte, Platten, Akkorde

= fashion
die Herbstkollektion; dieses Seidenkleid; die junge Designerin; die Modenschau; ein alter Mantel; der Leinenanzug
> eröffnet die Modewoche in Mailand; bringt weite Hosen und kräftige Farben zurück; passt gut zu Lederstiefeln
> besteht aus recyceltem Stoff; macht das Nähen zur Kunst; ist in jeder Boutique ausverkauft
> gehört in jeden Kleiderschrank; prägt den Stil der Saison
# mode stil outfit
@ Modetagebuch; Nähen und Secondhand; Stoffe, Schnitte, Farben

= gardening
die Tomatenpflanze; mein Komposthaufen; der Rosenstrauch; das Gemüsebeet; das Gewächshaus; der alte Apfelbaum
> braucht Regen und gute Erde; leidet unter Schnecken und Blattläusen; blüht früher als im letzten Jahr
> muss vor dem Frühling geschnitten werden; ist voller Bienen; gibt mehr, als wir ernten können
> bekommt frischen Mulch und Setzlinge; wächst gut neben Lavendel
# garten gärtnern gemüse
@ Gärtnerin mit Erde an den Händen; Tomaten, Kompost, Bienen; Gemüse aus eigenem Anbau

= travel
die Nachtfähre; diese kleine Insel; die alte Hafenstadt; ein billiges Hostel; der Wanderweg in den Bergen
das Strandhotel
> ist den langen Flug wert; bietet den besten Blick auf die Bucht; füllt sich im Juli mit Touristen
> braucht keinen Reiseführer; empfängt Rucksackreisende; hat kein Netz und einen wunderbaren Sonnenuntergang
> liegt zwei Stunden vom Flughafen; erinnert mich an meine Reise durch Asien
# reisen fernweh urlaub
@ Rucksack, 40 Länder; Immer am Flughafen; Inseln, Karten und Nachtfähren

= health
der neue Impfstoff; die Hausärztin; guter Schlaf; die Grippewelle; die klinische Studie; hoher Blutdruck
> senkt das Risiko eines Herzinfarkts; füllt die Krankenhäuser; hilft Patienten mit Diabetes; braucht frühe Behandlung
> zeigt Nebenwirkungen bei Älteren; überrascht das Pflegepersonal; stärkt das Immunsystem; ist ein Fall für den Arzt
# gesundheit medizin pflege
@ Krankenpfleger im Nachtdienst; Medizin einfach erklärt; Gesundheit und guter Schlaf

= cycling
das gelbe Trikot; mein Rennrad; die Bergetappe; der Sprinter; das Peloton; dieses Gravelbike
> erklimmt den Pass im Regen; hat zehn Kilometer vor dem Ziel einen Platten; greift in der Abfahrt an
> braucht eine neue Kette und Bremsbeläge; kämpft gegen den Wind; schlägt die Bestzeit im Zeitfahren
> stürzt in der letzten Kurve; spart Kraft für den Zielsprint
# radsport fahrrad rennrad
@ Rennradfahrer; Zwei Räder, kein Motor; Pässe und Kaffeepausen

= dogs
mein Welpe; der Hund aus dem Tierheim; der alte Labrador; dieser sture Dackel; der Pudel der Nachbarn; der Hütehund
> bellt den Briefträger an; zerkaut meine Hausschuhe; wartet an der Leine auf den Spaziergang
> schläft schnarchend auf dem Sofa; lernt Sitz für ein Leckerli; jagt Eichhörnchen im Park
> wedelt beim Tierarzt mit dem Schwanz; klaut eine Wurst
# hunde welpe hundeliebe
@ Hundemensch; Spaziergänge mit Labrador; Tierheimhunde und nasse Pfoten

= programming
der Compiler; diese Python-Bibliothek; der Pull-Request; ein wackliger Unittest; die Datenbankmigration
das Open-Source-Werkzeug
> wirft eine seltsame Ausnahme; bricht den Build auf jedem Branch; verliert Speicher im Produktivsystem
> braucht bessere Dokumentation; läuft nach dem Umbau zehnmal schneller; versteckt eine Race-Condition
> besteht das Code-Review; hängt an altem Code
# programmieren software opensource
@ Softwareentwicklerin; Ich schreibe Fehler und Tests; Quelltext, Terminal, Tee

= cars
das Elektroauto; dieses alte Cabrio; der Hybridmotor; der Sportwagen; das Getriebe; der neue Geländewagen
> braucht einen Ölwechsel und neue Reifen; beschleunigt in vier Sekunden; lädt in zwanzig Minuten
> verbraucht zu viel Benzin; bleibt auf der Autobahn liegen; hat fünfhundert Kilometer Reichweite
> fällt durch den TÜV; schnurrt nach der Reparatur
# auto elektroauto oldtimer
@ Autonarr; Restauriere ein altes Cabrio; Motoren, Getriebe, Landstraßen

= books
der Debütroman; dieser Krimi; die unzuverlässige Erzählerin; ein schmaler Gedichtband; die Biografie; die Übersetzerin
> hält mich bis zum Morgen wach; gewinnt den Literaturpreis; beginnt mit einem perfekten Satz
> enttäuscht im letzten Kapitel; gehört in jedes Bücherregal; bringt den Lesekreis zum Streiten
> beschreibt die Einsamkeit der Heldin; steckt voller Metaphern
# bücher lesen literatur
@ Leserin dicker Romane; Lesekreis am Donnerstag; Gedichte, Bibliotheken, Regen

= history
die römische Villa; eine mittelalterliche Handschrift; das Grabungsteam; das Grab aus der Bronzezeit; die Kuratorin
diese alte Festung
> zeigt, wie das Reich Handel trieb; stammt aus dem zwölften Jahrhundert; überrascht die Archäologen
> birgt Münzen und Keramik; übersteht in der Chronik eine Belagerung; erzählt von Königen und Pest
> ändert das Bild der Historiker; lag unter dem Marktplatz
# geschichte archäologie museum
@ Historiker; Auf den Spuren der Römer; Burgen, Chroniken, Museen

= chess
der Großmeister; mein Damenopfer; dieses Turmendspiel; die sizilianische Verteidigung; die junge Herausforderin
der Weltmeister
> gewinnt im zwanzigsten Zug einen Bauern; führt zum Matt; patzt in Zeitnot; rettet sich ins Remis durch Zugwiederholung
> bereitet eine Neuerung in der Eröffnung vor; rochiert zu spät; verliert das Läuferpaar
> spielt Blitzschach gegen den Computer
# schach schachmatt großmeister
@ Vereinsspieler im Schach; Endspiele und Blitz; Immer einen Bauern mehr

= photography
das Weitwinkelobjektiv; diese Langzeitbelichtung; meine alte Filmkamera; die Porträtserie; das Morgenlicht; das Stativ
> lässt die Straße wie gemalt aussehen; braucht eine kleinere Blende; gibt weiche Schatten und Korn
> gewinnt den Fotowettbewerb; rettet das Foto bei wenig Licht; macht den Hintergrund unscharf
> wirkt am besten in Schwarzweiß; wartet auf die goldene Stunde
# fotografie foto porträt
@ Straßenfotograf; Filmkameras und Dunkelkammer; Jagd nach dem Morgenlicht

= railways
der Nachtzug; die Dampflokomotive; der Regionalexpress; die Schnellfahrstrecke; das Stellwerk; die Straßenbahn
> hält an jedem Bahnhof; verspätet sich wegen einer Weichenstörung; bekommt neue Gleise und Bahnsteige
> verbindet beide Hauptstädte; fährt im Morgengrauen über das Viadukt; kommt ohne Schaffner aus
> lässt die Pendler stehen; feiert hundert Jahre Eisenbahn
# bahn eisenbahn nahverkehr
@ Eisenbahnfreund; Nachtzüge und Fahrpläne; Lokomotiven, Gleise, Bahnhöfe

= parenting
unser Kleinkind; das neue Baby; die Erzieherin im Kindergarten; meine Tochter in der Pubertät; der Schulweg
die Gutenachtgeschichte
> hält die Eltern wach; endet mit Tränen und Gekicher; fragt hundertmal warum; kostet die ganze Familie Nerven
> handelt wieder von Dinosauriern; braucht Windeln und Geduld; macht Mama und Papa stolz; beginnt vor dem Frühstück
# eltern familie kinder
@ Mama von drei Kindern; Papa, müde und glücklich; Kinder, Hausaufgaben und Chaos

= everyday
! Unglaublich:; Eilmeldung:; Wie immer:; Frage in die Runde:; Endlich:; Meine Meinung:; Gute Nachricht:; So wahr:
! Gerade erfahren:; Kein Witz:; Gut zu wissen:; Steile These:; Zur Erinnerung:; Schlechte Nachricht:; Heute gehört:
~ heute Morgen; schon wieder; noch einmal; ganz im Ernst; gerade jetzt; am Ende doch; ohne Vorwarnung; wie erwartet
~ und niemand wundert sich; und ich liebe es; und das sieht man; , ob man es glaubt oder nicht; natürlich; jedes Mal
% – Tag *; (Teil *); – Meldung Nr. *; , Kommentar Nr. *; – Notiz *; , Punktzahl *; – Foto *; , siehe Seite *
"""
