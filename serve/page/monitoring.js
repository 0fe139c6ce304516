export async function draw(main){ main.textContent="soon"; }
