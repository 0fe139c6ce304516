"""Spanish words of the world. `dynprof.world.lexicon` explains the marks at the start of a line."""

__all__ = ["SPANISH"]

SPANISH = """
= football
el delantero; nuestro portero; el nuevo entrenador; el capitán visitante; toda la defensa; el joven extremo
> marca en el tiempo añadido; vuelve a fallar un penalti; ve la tarjeta roja antes del descanso; gana por fin el derbi
> ficha por el líder de la liga; se pierde la final de copa; merece ir al Mundial; presiona muy arriba
# futbol gol liga
@ Futbolero desde la infancia; Abono en la fila 12; Goles, derbis y fichajes

= cooking
este risotto de limón; el guiso de la abuela; el pan de masa madre; una salsa de tomate; el pollo asado; esta paella
> necesita más ajo y mantequilla; se cocina dos horas a fuego lento; sabe mejor al día siguiente
> va bien con albahaca fresca; lleva solo cinco ingredientes; pide una pizca de pimentón
> alimenta a seis invitados; necesita el horno muy caliente
# cocina receta comida
@ Cocino en casa; Horneo demasiado pan; Especias, salsas y recetas

= space
el rover de Marte; el nuevo telescopio espacial; el cohete; el módulo lunar; la tripulación de la estación; la sonda
> envía imágenes de una galaxia lejana; alcanza la órbita tras un lanzamiento nocturno; halla rastros de agua antigua
> perfora la roca marciana; detecta un exoplaneta; sobrevive a la reentrada
> estudia los anillos de Saturno; deja la órbita terrestre
# espacio nasa astronomia
@ Aficionado a la astronomía; Cohetes, planetas y cielos oscuros; Espero el próximo lanzamiento

= climate
el presupuesto de carbono; el calentamiento global; el hielo del Ártico; el informe de emisiones; la ola de calor
el nivel del mar
> bate los récords del siglo; preocupa a los climatólogos; exige dejar el carbón y el petróleo
> amenaza a las ciudades costeras; agrava los incendios y la sequía; cambia más deprisa que los modelos
> explica la huelga por el clima; deja poco tiempo para reducir los gases de efecto invernadero
# clima cambioclimatico emisiones
@ Por el clima; Menos carbono cada día; Renovables y glaciares

= elections
la candidata de la oposición; el presidente; la junta electoral; el partido del gobierno; la senadora; el sondeo
> logra una mayoría ajustada en el parlamento; promete a los votantes una reforma fiscal; lidera las encuestas
> debate sobre inmigración en directo; pierde escaños en las provincias; pide el recuento de los votos
> forma un gobierno de coalición; afronta una moción de censura
# elecciones votar politica
@ Adicto a la política; Cuento votos y escaños; Observadora del parlamento

= stocks
la bolsa; el banco central; esta acción tecnológica; el rendimiento de los bonos; el informe trimestral; el fondo
> cae por miedo a la inflación; sorprende a los inversores; presiona los tipos de interés; supera las previsiones
> cierra la jornada en rojo; inquieta a quien busca dividendos; apunta a una recesión; sube antes del cierre
# bolsa inversion finanzas
@ Inversor a largo plazo; Dividendos y fondos; Mercados, tipos y café

= crypto
Bitcoin; la red Ethereum; esta moneda meme; la casa de criptomonedas; una moneda estable; la cartera de blockchain
> se hunde un tercio en una noche; marca un máximo histórico; pierde tokens a manos de piratas informáticos
> reduce la recompensa de los mineros; mueve millones en la cadena de bloques; atrae a las ballenas
> sufre el veto del regulador; paga intereses en criptomonedas
# bitcoin cripto blockchain
@ Criptoentusiasta; Todo descentralizado; Bitcoin, carteras y claves

= gaming
el jefe final; este juego independiente; la nueva consola; el mundo abierto; el parche multijugador
el equipo de esports
> exige cuarenta horas; funciona a sesenta fotogramas por segundo; añade un modo cooperativo; suelta botín raro
> se cuelga en la pantalla de carga; debilita mi arma favorita; gana la final del torneo; brilla por sus gráficos
# videojuegos gamer esports
@ Jugadora y speedrunner; Rol y noches largas; Retransmito jefes finales

= film
la nueva película de suspense; la actriz principal; la secuela; este filme en blanco y negro; el guion; el tráiler
> gana el premio a la mejor película; abre el festival de cine; sorprende en la última escena; aburre a la crítica
> merece una nominación al Óscar; luce en la gran pantalla; termina antes de los créditos; emociona a toda la sala
# cine pelicula estreno
@ Cine todos los viernes; Crítico sin periódico; Directores, escenas y palomitas

= music
la cantante; el nuevo disco de la banda; este solo de guitarra; el cuarteto de cuerda; el batería; el vinilo
> cierra el bis en acústico; lidera las listas con una balada; suena fuerte en el escenario; llena la sala de conciertos
> va de gira con un trío de jazz; cambia de tono en el último estribillo; abre el festival; trae la melodía del verano
# musica concierto disco
@ Colecciono vinilos; Toco el bajo en una banda; Conciertos, discos y acordes

= fashion
la colección de otoño; este vestido de seda; la joven diseñadora; el desfile; un abrigo antiguo; el traje de lino
> abre la semana de la moda en Milán; recupera los pantalones anchos y los colores vivos; combina con botas de cuero
> usa tela reciclada; convierte la costura en arte; se agota en cada tienda
> merece un lugar en el armario; marca el estilo de la temporada
# moda estilo look
@ Diario de estilo; Costura y ropa de segunda mano; Telas, cortes y colores

= gardening
la tomatera; mi montón de compost; el rosal; el huerto; el invernadero; el viejo manzano
> necesita lluvia y buena tierra; sufre con las babosas y el pulgón; florece antes que el año pasado
> pide una poda antes de la primavera; atrae a muchas abejas; da más de lo que podemos cosechar
> recibe abono y plantones; crece bien junto a la lavanda
# jardin huerto plantas
@ Jardinera con tierra en las manos; Tomates, compost y abejas; Verduras de mi huerto

= travel
el ferri nocturno; esta pequeña isla; la vieja ciudad portuaria; un hostal barato; el sendero de montaña
el hotel de playa
> merece el largo vuelo; ofrece la mejor vista de la bahía; se llena de turistas en julio; no necesita guía de viaje
> recibe a mochileros; no tiene cobertura, pero sí una bella puesta de sol; está a dos horas del aeropuerto
> me recuerda mi viaje por Asia
# viajes mochilero vacaciones
@ Mochila y 40 países; Siempre en un aeropuerto; Islas, mapas y ferris

= health
la nueva vacuna; el médico de cabecera; dormir bien; la ola de gripe; el ensayo clínico; la tensión alta
> reduce el riesgo de infarto; llena los hospitales; ayuda a pacientes con diabetes; exige un tratamiento temprano
> muestra efectos secundarios en mayores; sorprende al personal de enfermería; refuerza el sistema inmunitario
> es asunto del médico
# salud medicina bienestar
@ Enfermera de noche; Medicina sin rodeos; Salud pública y buen sueño

= cycling
el maillot amarillo; mi bicicleta de carretera; la etapa de montaña; el velocista; el pelotón; esta bici de grava
> sube el puerto bajo la lluvia; pincha a diez kilómetros de la meta; ataca en el descenso
> necesita cadena y frenos nuevos; pedalea contra el viento; bate el récord de la contrarreloj
> se cae en la última curva; guarda fuerzas para el esprint
# ciclismo bicicleta tour
@ Ciclista de carretera; Dos ruedas, sin motor; Puertos y paradas de café

= dogs
mi cachorro; el perro del refugio; el viejo labrador; este terco teckel; el caniche del vecino; el perro pastor
> ladra al cartero; muerde mis zapatillas; espera el paseo con la correa; ronca en el sofá
> aprende a sentarse por una golosina; persigue ardillas en el parque; mueve la cola en el veterinario
> roba una salchicha
# perros cachorro mascotas
@ Amante de los perros; Paseos con un labrador; Refugios y patas mojadas

= programming
el compilador; esta biblioteca de Python; el pull request; una prueba inestable; la migración de la base de datos
la herramienta libre
> lanza una excepción extraña; rompe la compilación en cada rama; pierde memoria en producción
> necesita mejor documentación; va diez veces más rápido tras refactorizar; esconde una condición de carrera
> supera la revisión de código; depende de código heredado
# programacion software codigoabierto
@ Desarrolladora de software; Escribo errores y pruebas; Código, terminal y té

= cars
el coche eléctrico; este viejo descapotable; el motor híbrido; el deportivo; la caja de cambios; la nueva camioneta
> pide aceite y neumáticos nuevos; acelera en cuatro segundos; se carga en veinte minutos; gasta mucha gasolina
> se avería en la autopista; tiene quinientos kilómetros de autonomía; no pasa la inspección; ronronea tras el arreglo
# coches motor cocheelectrico
@ Loco por los coches; Restauro un descapotable; Motores, cambios y carreteras

= books
la primera novela; esta historia policiaca; el narrador; un breve poemario; la biografía; la traductora
> no me deja dormir hasta el alba; gana el premio literario; empieza con una frase perfecta
> decepciona en el último capítulo; merece un sitio en la estantería; hace discutir al club de lectura
> capta la soledad de la heroína; rebosa de metáforas
# libros lectura literatura
@ Lectora de novelas largas; Club de lectura los jueves; Poesía, bibliotecas y lluvia

= history
la villa romana; un manuscrito medieval; el equipo de excavación; la tumba de la Edad del Bronce; el museo
esta fortaleza
> revela cómo comerciaba el imperio; data del siglo doce; sorprende a los arqueólogos; guarda monedas y cerámica
> sobrevive a un asedio en la crónica; habla de reyes y peste; cambia lo que creían los historiadores
> aparece bajo la plaza del mercado
# historia arqueologia museo
@ Historiador; Tras los romanos; Castillos, crónicas y museos

= chess
el gran maestro; mi sacrificio de dama; este final de torres; la defensa siciliana; la joven aspirante
el campeón mundial
> gana un peón en la jugada veinte; lleva al jaque mate; falla por apuros de tiempo; salva tablas por repetición
> prepara una novedad en la apertura; enroca tarde; pierde la pareja de alfiles; juega rápidas contra el ordenador
# ajedrez jaquemate maestro
@ Jugador de club de ajedrez; Finales y rápidas; Siempre con un peón de más

= photography
el gran angular; esta larga exposición; mi vieja cámara analógica; la serie de retratos; la luz de la mañana; el trípode
> hace que la calle parezca pintada; pide un diafragma más cerrado; da sombras suaves y grano
> gana el concurso de fotografía; salva la foto con poca luz; desenfoca el fondo
> luce mejor en blanco y negro; espera la hora dorada
# fotografia foto retrato
@ Fotógrafo callejero; Carretes y cuarto oscuro; En busca de la hora dorada

= railways
el tren nocturno; la locomotora de vapor; el cercanías; la línea de alta velocidad; la torre de señales; el tranvía
> para en cada estación; llega tarde por un fallo en las agujas; estrena vías y andenes; une las dos capitales
> cruza el viaducto al amanecer; circula sin revisor; deja tirados a los viajeros; celebra cien años de ferrocarril
# tren ferrocarril transporte
@ Aficionado al tren; Trenes nocturnos y horarios; Locomotoras, vías y estaciones

= parenting
nuestro peque; la recién nacida; la maestra de infantil; mi hija adolescente; el camino al colegio; el cuento de dormir
> no deja dormir a los padres; acaba en lágrimas y risas; pregunta cien veces por qué; agota a toda la familia
> vuelve a hablar de dinosaurios; exige pañales y paciencia; enorgullece a mamá y papá; empieza antes del desayuno
# familia crianza hijos
@ Mamá de tres; Papá cansado y feliz; Niños, deberes y caos

= everyday
! Increíble:; Última hora:; Como siempre:; Pregunta para todos:; Por fin:; Mi opinión:; Buenas noticias:
! Malas noticias:
! Recién sabido:; No es broma:; Conviene saberlo:; Opinión polémica:; Recordatorio:; Lo oí hoy:; Lo sabía:; Qué verdad:
~ esta mañana; otra vez; una vez más; en serio; ahora mismo; al final; sin avisar; como se esperaba; cada vez
~ y nadie se sorprende; y me encanta; y se nota; , aunque no lo creas; , por supuesto; esta noche
% – día *; (parte *); – aviso n.º *; , comentario n.º *; – nota *; , puntuación *; – foto *; , ver página *
"""
