"""English words of the world. `dynprof.world.lexicon` explains the marks at the start of a line."""

__all__ = ["ENGLISH"]

ENGLISH = """
= football
the striker; our goalkeeper; the new coach; the captain of the away team; the young winger; the whole defence
> scores in stoppage time; misses another penalty; gets a red card before half-time; wins the derby at last
> signs for the league leaders; is out until the cup final; deserves a place in the World Cup squad; presses high
# football matchday worldcup
@ Football fan since childhood; Season ticket, row 12; Goals, derbies and transfer rumours

= cooking
this lemon risotto; my grandmother's stew; the sourdough bread; a simple tomato sauce; the roast chicken; that curry
> needs more garlic and butter; simmers for two hours on low heat; tastes even better the next day; needs a hot oven
> goes well with fresh basil; takes only five ingredients; deserves a pinch of smoked paprika; feeds six hungry guests
# cooking recipe foodie
@ Home cook and recipe collector; I bake too much bread; Spices, sauces and slow food

= space
the Mars rover; the new space telescope; a reusable rocket; the lunar lander; the crew of the space station; the probe
> sends pictures of a distant galaxy; reaches orbit after a night launch; finds traces of ancient water; leaves orbit
> drills into red rock; detects a faint exoplanet; survives re-entry; studies the rings of Saturn
# space nasa astronomy
@ Amateur astronomer; Rockets, planets and dark skies; Waiting for the next launch

= climate
the carbon budget; global warming; the Arctic sea ice; the new emissions report; a stronger heatwave; the rising ocean
> breaks every record of the last century; worries climate scientists; demands an end to coal and oil
> threatens coastal cities; makes wildfires and drought worse; changes faster than the models said
> is the reason for the climate strike; leaves little time to cut greenhouse gases
# climate climateaction globalwarming
@ Climate scientist by heart; Cutting carbon, one step at a time; Renewables and glaciers

= elections
the opposition candidate; the prime minister; the electoral commission; the ruling party; the senator; the exit poll
> wins a narrow majority in parliament; promises tax reform to voters; leads in the polls before election day
> debates immigration on live television; loses seats in the swing states; calls for a recount of the ballots
> forms a coalition government; faces a vote of no confidence
# election vote politics
@ Politics junkie; Counting votes and seats; Parliament watcher

= stocks
the stock market; the central bank; this tech share; the bond yield; the quarterly earnings report; the hedge fund
> falls on fears of inflation; surprises investors on Wall Street; raises interest rates again; beats all forecasts
> ends the trading day in the red; makes dividend investors nervous; points to a recession; rallies before the close
# stocks investing finance
@ Long-term investor; Dividends and index funds; Markets, rates, coffee

= crypto
Bitcoin; the Ethereum network; this meme coin; the crypto exchange; a stablecoin; the blockchain wallet
> crashes by a third overnight; hits a new all-time high; loses tokens to hackers; cuts the mining reward in half
> moves millions on the blockchain; is a playground for whales; gets banned by the regulator; pays staking rewards
# bitcoin crypto blockchain
@ HODL; Decentralise everything; Bitcoin, wallets and private keys

= gaming
the final boss; this indie game; the new console; the open-world map; the multiplayer patch; the esports team
> takes forty hours to beat; runs at sixty frames per second; adds a co-op mode; drops rare loot in every dungeon
> crashes on the loading screen; nerfs my favourite weapon; wins the tournament final; has the best pixel art
# gaming gamer esports
@ Gamer and speedrunner; RPGs, controllers, late nights; Streaming boss fights

= film
the director's new thriller; the leading actress; the sequel; this black-and-white movie; the screenplay; the trailer
> wins the award for best picture; premieres at the film festival; has a twist in the last scene; bores the critics
> deserves an Oscar nomination; looks wonderful on the big screen; ends before the credits roll; moves the cinema
# film movies cinema
@ Cinema every Friday; Film critic without a newspaper; Directors, scenes and popcorn

= music
the lead singer; the band's new album; this guitar solo; the string quartet; the drummer; the vinyl record
> plays the encore acoustic; tops the charts with a ballad; sounds raw and loud on stage; sells out the concert hall
> goes on tour with a jazz trio; changes key in the last chorus; opens the festival; has the melody of the summer
# music concert newalbum
@ Vinyl collector; I play bass in a loud band; Concerts, records, chords

= fashion
the autumn collection; this silk dress; the young designer; the runway show; a vintage coat; the linen suit
> opens fashion week in Milan; brings back wide trousers and bold colours; looks great with leather boots
> is made of recycled fabric; turns sewing into art; sells out in every boutique
> belongs in every wardrobe; sets the style of the season
# fashion style ootd
@ Style diary; Sewing and second-hand clothes; Fabrics, cuts, colours

= gardening
the tomato plant; my compost heap; the rose bush; the vegetable bed; the greenhouse; an old apple tree
> needs rain and good soil; suffers from slugs and aphids; blooms earlier than last year; wants pruning before spring
> is full of bees; gives more than we can harvest; gets fresh mulch and seedlings; grows well next to lavender
# gardening garden growyourown
@ Gardener with muddy hands; Tomatoes, compost, bees; Growing my own vegetables

= travel
the night ferry; this little island; the old harbour town; a cheap hostel; the mountain trail; the beach resort
> is worth the long flight; offers the best view of the bay; fills up with tourists in July; needs no travel guide
> welcomes backpackers; has no mobile signal and a wonderful sunset; lies two hours from the airport
> reminds me of my trip through Asia
# travel wanderlust backpacking
@ Backpacker, 40 countries; Always at an airport; Islands, maps and night trains

= health
the new vaccine; the family doctor; a good night's sleep; the flu wave; the clinical trial; high blood pressure
> lowers the risk of a heart attack; fills the hospital wards; helps patients with diabetes; needs early treatment
> shows side effects in older people; surprises the nurses; strengthens the immune system; is a matter for a doctor
# health medicine wellbeing
@ Nurse on night shift; Medicine made simple; Public health and good sleep

= cycling
the yellow jersey; my road bike; the mountain stage; the sprinter; the peloton; this gravel bike
> climbs the pass in the rain; punctures ten kilometres from the finish; breaks away on the descent
> needs a new chain and brake pads; rides into a headwind; beats the time trial record; crashes in the final bend
> saves energy before the sprint
# cycling bikelife tourdefrance
@ Road cyclist; Two wheels, no engine; Mountain passes and coffee stops

= dogs
my puppy; the rescue dog; the old Labrador; this stubborn dachshund; the neighbour's poodle; the sheepdog
> barks at the postman; chews my slippers; waits for a walk on the leash; sleeps on the sofa and snores
> learns to sit for a treat; chases squirrels in the park; wags its tail at the vet; steals a sausage
# dogs puppylove dogsoftwitter
@ Dog person; Walks with a Labrador; Rescue dogs and muddy paws

= programming
the compiler; this Python library; the pull request; a flaky unit test; the database migration; the open source tool
> throws a strange exception; breaks the build on every branch; leaks memory in production; needs better documentation
> runs ten times faster after refactoring; hides a race condition; passes code review; depends on legacy code
# programming coding opensource
@ Software developer; I write bugs and tests; Open source, terminals, tea

= cars
the electric car; this old convertible; the hybrid engine; the sports car; the gearbox; the new pickup truck
> needs an oil change and new tyres; accelerates in four seconds; charges in twenty minutes; burns too much petrol
> breaks down on the motorway; has a range of five hundred kilometres; fails the inspection; purrs after the repair
# cars automotive electriccar
@ Petrolhead; Restoring an old convertible; Engines, gearboxes, road trips

= books
the debut novel; this crime story; the unreliable narrator; a slim poetry volume; the biography; the translator
> keeps me reading until dawn; wins the literary prize; begins with a perfect sentence; disappoints in the last chapter
> belongs on every bookshelf; makes the book club argue; captures the loneliness of the heroine; is full of metaphors
# books amreading literature
@ Reader of long novels; Book club on Thursdays; Poetry, libraries, rain

= history
the Roman villa; a medieval manuscript; the excavation team; the bronze age grave; the museum curator; this old fortress
> reveals how the empire traded; dates from the twelfth century; surprises the archaeologists; holds coins and pottery
> survives a siege in the chronicle; tells of kings and plague; changes what historians believed; lay under the market
# history archaeology museum
@ Historian; Digging for the Romans; Castles, chronicles, museums

= chess
the grandmaster; my queen sacrifice; this rook endgame; the Sicilian defence; the young challenger; the world champion
> wins a pawn on move twenty; leads to a forced mate; blunders in time trouble; escapes with a draw by repetition
> prepares a novelty in the opening; castles too late; loses the bishop pair; plays blitz against the engine
# chess checkmate grandmaster
@ Chess club player; Endgames and blitz; Always up a pawn

= photography
the wide-angle lens; this long exposure; my old film camera; the portrait series; the morning light; the tripod
> makes the street look painted; needs a smaller aperture; gives soft shadows and grain; wins the photo contest
> saves the picture in low light; blurs the background; works best in black and white; waits for the golden hour
# photography photooftheday portrait
@ Street photographer; Film cameras and darkrooms; Chasing the golden hour

= railways
the night train; the steam locomotive; the regional express; the high-speed line; the signal box; the tram network
> stops at every station; is late because of a points failure; gets new tracks and platforms; connects both capitals
> crosses the viaduct at dawn; runs without a conductor; strands commuters again; celebrates a hundred years of rail
# railways trainspotting publictransport
@ Trainspotter; Night trains and timetables; Locomotives, tracks, stations

= parenting
our toddler; the new baby; the kindergarten teacher; my teenage daughter; the school run; the bedtime story
> keeps the parents awake; ends in tears and giggles; asks why a hundred times; costs the whole family its nerves
> wants to hear about dinosaurs; needs clean nappies and patience; makes mum and dad proud; starts before breakfast
# parenting momlife family
@ Mum of three; Dad, tired but happy; Kids, homework and chaos

= everyday
! Unbelievable:; Breaking:; As always:; Question for everyone:; Finally:; My opinion:; Good news:; Bad news:; So true:
! Just in:; Not a joke:; Worth knowing:; Hot take:; Reminder:; Third time this week:; Overheard today:; I knew it:
~ this morning; again; once more; for real; right now; after all; tonight; without warning; as expected; every time
~ and nobody is surprised; and I love it; and I cannot explain why; and it shows; , believe it or not; , of course
% – day *; (part *); – update no. *; , comment no. *; – my note *; , score *; – photo *; , see page *
"""
