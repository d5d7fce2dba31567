"""AugLens: what does data augmentation teach an image classifier to look at?"""
