// What the demo asks. Every question is a plain function of a database, the same for every store.
import { and, avg, count, dateBucket, not, or, percentile, query, sum, where } from "@dataknobs/core";

const film = ["Title", "Director", "Release Date", "IMDB Rating"];

export const questions = [
  {
    title: "Filter",
    text: "Comedies rated 8 or better, the best first",
    query: () =>
      query()
        .filter("Major Genre", "=", "Comedy")
        .filter("IMDB Rating", ">=", 8)
        .sort("IMDB Rating", "desc")
        .limit(5)
        .select("Title", "Director", "Release Date", "IMDB Rating"),
    columns: film,
  },
  {
    title: "Boolean",
    text: "Films of the nineties that critics loved or the public did, and that are neither dramas nor sequels",
    query: () =>
      query()
        .filter("Release Date", "between", [new Date("1990-01-01"), new Date("1999-12-31")])
        .filter(or(where("Rotten Tomatoes Rating", ">=", 97), where("IMDB Rating", ">", 8.6)))
        .filter(not(or(where("Major Genre", "=", "Drama"), where("Title", "regex", / (II|\d)$/))))
        .sort("Release Date")
        .limit(6),
    columns: [...film, "Rotten Tomatoes Rating"],
  },
  {
    title: "Full text",
    text: "Every word of “star trek” in the title, which is declared as text",
    query: () => query().match("star trek").sort("Release Date").limit(5),
    columns: film,
  },
  {
    title: "Full text without an index",
    text: "“comic” or “game” in the source, which is not declared: found all the same, by core",
    query: () =>
      query()
        .match("comic game", { fields: ["Source"], mode: "any" })
        .filter("IMDB Rating", ">=", 8)
        .sort("IMDB Rating", "desc")
        .limit(5),
    columns: ["Title", "Source", "Release Date", "IMDB Rating"],
  },
  {
    title: "Aggregate",
    text: "Genres with 200 films or more that have a rating: how good, and what did they earn",
    aggregation: () => ({
      where: and(where("Major Genre", "exists"), where("IMDB Rating", "exists")),
      groupBy: { genre: "Major Genre" },
      select: {
        films: count(),
        rating: avg("IMDB Rating"),
        medianGross: percentile("Worldwide Gross", 0.5),
      },
      having: where("films", ">=", 200),
      sort: [{ path: "rating", direction: "desc" }],
    }),
    columns: ["genre", "films", "rating", "medianGross"],
  },
  {
    title: "Aggregate by date",
    text: "The years with most votes cast for their films",
    aggregation: () => ({
      groupBy: { year: dateBucket("Release Date", "year") },
      select: { films: count(), votes: sum("IMDB Votes") },
      sort: [{ path: "votes", direction: "desc" }],
      limit: 4,
    }),
    columns: ["year", "films", "votes"],
  },
  {
    title: "Sort and page",
    text: "The films that earned most, three pages by cursor; each store continues from the other's cursor",
    query: () => query().sort("Worldwide Gross", "desc").limit(3).select("Title", "Worldwide Gross"),
    pages: 3,
    columns: ["Title", "Worldwide Gross"],
  },
];
