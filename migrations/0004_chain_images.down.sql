DROP TABLE chain_removals, chain_image_chunks, chain_images;
