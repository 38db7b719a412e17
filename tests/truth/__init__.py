"""Is our selection pip's? Random pages, read and chosen from by pip itself and by us."""
