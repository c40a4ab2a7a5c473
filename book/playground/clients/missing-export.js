// The name is not the one that the lab asks for.
export function watchPrice() {}
