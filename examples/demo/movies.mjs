// 3,201 films from the npm package vega-datasets, with field names as they come: "IMDB Rating", "Release Date".
import { readFile } from "node:fs/promises";

/** Records for `createMany`. The only change: a release date such as "Jun 12 1998" becomes a Date. */
export async function loadMovies() {
  const file = new URL("../data/movies.json", import.meta.resolve("vega-datasets"));
  const movies = JSON.parse(await readFile(file, "utf8"));
  return movies.map((movie, index) => ({
    id: `movie-${String(index + 1).padStart(4, "0")}`,
    data: { ...movie, "Release Date": new Date(`${movie["Release Date"]} UTC`) },
  }));
}
